"""Weights part-way between the pretrained encoder and a fine-tuned one (WiSE-FT, Wortsman 2022).

All the way, a model knows the sources it was trained on and forgets what it knew of others.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.arrays import Floats


def averaged(pretrained: Path, finetuned: Path, share: float) -> dict[str, Floats]:
    """The encoder's tensors, `share` of the way from the first to the second.

    Tensors that only fine-tuning made (the queries of the learned averages) are taken whole.
    """
    before, after = load_file(pretrained), load_file(finetuned)
    return {
        name: _between(before.get(name), tensor, share)
        for name, tensor in after.items()
        if not name.startswith("head.")
    }


def _between(before: Floats | None, after: Floats, share: float) -> Floats:
    if before is None:
        return after
    return ((1 - share) * before + share * after).astype(np.float32)
