"""What packed models say of the texts of a run, for one model to learn what several know.

Distillation (Hinton, Vinyals, Dean 2015, arXiv:1503.02531), from an ensemble of which one may be
the model that the run starts from, so that it forgets less of what that knew (Li, Hoiem 2016,
"Learning without Forgetting"). Teachers see the very tokens that the student sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from guardproxy.classifiers.manifest_form import MODEL_FILE
from training.arrays import Floats
from training.features import GraphRunner
from training.unpack import facts_of

TEMPERATURE: Final = 2.0
"""Logits are divided by it, so that what is unlikely is told apart too."""

_SURE: Final = 1e-4
"""Probabilities nearer to 0 or 1 say no more than this one."""


class Teachers:
    """Some packed models with our categories and tokens."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Raises ValueError where a folder is not one that `pack` wrote."""
        self.facts: list[dict[str, Any]] = [facts_of(folder) for folder in folders]
        self._graphs = [GraphRunner(folder / MODEL_FILE) for folder in folders]

    def soft(self, windows: Sequence[Sequence[int]]) -> Floats:
        """Windows of tokens -> [windows, categories]: probabilities, from the mean of logits."""
        scores = np.stack([graph.all(windows) for graph in self._graphs])
        scores = scores.clip(_SURE, 1 - _SURE)
        logits = np.log(scores / (1 - scores)).mean(axis=0)
        result: Floats = (1 / (1 + np.exp(-logits / TEMPERATURE))).astype(np.float32)
        return result
