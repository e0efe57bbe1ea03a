"""What goes through the matrices on real texts: the ranges that int8 has to cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from training.arrays import Floats
from training.framing import PAD
from training.network import Encoder

_TEXTS_AT_ONCE: Final = 16
MATRICES: Final = {"qkv": "q", "ao": "ao", "fi": "fi", "fo": "fo"}
"""Name of a matrix in the graph -> the module whose input it takes."""
HEAD: Final = "head.in"
"""The head's first matrix: it takes what the encoder pools."""


@dataclass(frozen=True, slots=True)
class Range:
    """Least and greatest value of each channel of a matrix's input."""

    least: Floats
    greatest: Floats

    @property
    def size(self) -> Floats:
        return np.maximum(-self.least, self.greatest)

    def scaled(self, factors: Floats) -> Range:
        """The same after every channel is multiplied by its factor, all of them positive."""
        return Range(self.least * factors, self.greatest * factors)


class _Watch:
    """Remembers the extremes of what a matrix is given, but for padding."""

    def __init__(self) -> None:
        self.present = torch.zeros(0, dtype=torch.bool)
        self.least: Tensor | None = None
        self.greatest: Tensor | None = None

    def __call__(self, _module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self.see(given[0].reshape(-1, given[0].shape[-1])[self.present.reshape(-1)])

    def see(self, values: Tensor) -> None:
        """Values [any number, channels]."""
        least, greatest = values.amin(dim=0), values.amax(dim=0)
        self.least = least if self.least is None else torch.minimum(self.least, least)
        self.greatest = (
            greatest if self.greatest is None else torch.maximum(self.greatest, greatest)
        )

    @property
    def range(self) -> Range:
        if self.least is None or self.greatest is None:
            raise ValueError("nothing has been watched")
        return Range(self.least.numpy(), self.greatest.numpy())


def ranges(encoder: Encoder, windows: Sequence[Sequence[int]]) -> dict[str, Range]:
    """Ranges by matrix, `0.qkv` to `11.fo` and `HEAD`, over some windows of tokens."""
    watches = {
        f"{number}.{name}": (_Watch(), getattr(layer, module))
        for number, layer in enumerate(encoder.layers)
        for name, module in MATRICES.items()
    }
    handles = [module.register_forward_pre_hook(watch) for watch, module in watches.values()]
    pooled = _Watch()
    ordered = sorted(windows, key=len)
    with torch.inference_mode():
        for start in range(0, len(ordered), _TEXTS_AT_ONCE):
            part = ordered[start : start + _TEXTS_AT_ONCE]
            ids = torch.full((len(part), len(part[-1])), PAD)
            for place, window in enumerate(part):
                ids[place, : len(window)] = torch.tensor(window)
            for watch, _ in watches.values():
                watch.present = ids != PAD
            pooled.see(encoder(ids, ids != PAD))
    for handle in handles:
        handle.remove()
    return {name: watch.range for name, (watch, _) in watches.items()} | {HEAD: pooled.range}
