"""Weights part-way between the pretrained encoder and fine-tuned ones (WiSE-FT, Wortsman 2022).

All the way, a model knows the sources it was trained on and forgets what it knew of others. Several
fine-tunings are averaged first, in equal parts (model soups, Wortsman 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.arrays import Floats


def averaged(pretrained: Path, finetuned: Sequence[Path], share: float) -> dict[str, Floats]:
    """The encoder's tensors, `share` of the way from the first to the mean of the others.

    Tensors that only fine-tuning made (the queries of the learned averages) are taken whole.
    """
    before, after = load_file(pretrained), [load_file(file) for file in finetuned]
    return {
        name: _between(before.get(name), _mean([each[name] for each in after]), share)
        for name in after[0]
        if not name.startswith("head.")
    }


def _mean(tensors: Sequence[Floats]) -> Floats:
    mean: Floats = np.mean(tensors, axis=0, dtype=np.float32)
    return mean


def _between(before: Floats | None, after: Floats, share: float) -> Floats:
    if before is None:
        return after
    return ((1 - share) * before + share * after).astype(np.float32)
