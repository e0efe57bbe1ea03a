"""Matrices in few bits: int8 with one scale a column, word tables in blocks of 4 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from training.activations import Range
from training.arrays import Floats

GREATEST: Final = 64
"""Weights of 7 bits, so that scores are the same on every CPU: one without VNNI adds two products
with bytes in 16 bits, and 2 * 255 * 64 is the most that fits (onnxruntime's `reduce_range`)."""

_CLIPPED: Final = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Shares of a column's largest weight tried as the largest that is kept: what is finer for all the
others may be worth a clipped one."""

SMOOTHING: Final = 0.75
BLOCK: Final = 32
_LEAST: Final = 1e-5


@dataclass(frozen=True, slots=True)
class Int8Matrix:
    """Weights int8 [inputs, outputs], their scale per output, scale and zero of the input."""

    weights: npt.NDArray[np.int8]
    scales: Floats
    input_scale: np.float32
    input_zero: np.uint8


def smoothing_factors(weights: Floats, activations: Range) -> Floats:
    """Per input channel: what to divide activations, and multiply weights, by.

    Large channels of activations move into the weights, where every output has its own scale
    (SmoothQuant, Xiao et al. 2022). weights [inputs, outputs].
    """
    sizes = np.maximum(activations.size, _LEAST) ** SMOOTHING
    factors = sizes / np.maximum(np.abs(weights).max(axis=1), _LEAST) ** (1 - SMOOTHING)
    mean = np.exp(np.log(factors).mean())
    result: Floats = (factors / mean).astype(np.float32)
    return result


def int8_matrix(weights: Floats, activations: Range) -> Int8Matrix:
    """Of weights [inputs, outputs]; activations cover what the input takes, one scale for all."""
    low = min(float(activations.least.min()), 0.0)
    high = max(float(activations.greatest.max()), 0.0)
    input_scale = np.float32((high - low) / 255)
    zero = np.uint8(np.clip(round(-low / input_scale), 0, 255))
    largest = np.maximum(np.abs(weights).max(axis=0), 1e-8) / GREATEST
    tried = [(largest * share, _rounded(weights, largest * share)) for share in _CLIPPED]
    errors = [np.square(weights - rounded * scales).sum(axis=0) for scales, rounded in tried]
    best = np.argmin(errors, axis=0)
    scales = np.choose(best, [scales for scales, _ in tried])
    rounded = np.choose(best, [rounded for _, rounded in tried])
    return Int8Matrix(rounded.astype(np.int8), scales.astype(np.float32), input_scale, zero)


def _rounded(weights: Floats, scales: Floats) -> Floats:
    result: Floats = np.clip(np.round(weights / scales), -GREATEST, GREATEST)
    return result


def four_bit_rows(table: Floats) -> tuple[npt.NDArray[np.uint8], Floats]:
    """[rows, width] -> two weights a byte [rows, width / 2], scales [rows, width / 32].

    A weight is (half byte - 8) * scale. A table that came from such blocks comes back exact.
    """
    blocks = table.reshape(len(table), -1, BLOCK)
    place = np.abs(blocks).argmax(axis=-1, keepdims=True)
    scales = np.take_along_axis(blocks, place, axis=-1) / -8.0
    scales = np.where(scales == 0, 1e-8, scales)
    halves = np.clip(np.round(blocks / scales) + 8, 0, 15).astype(np.uint8)
    packed = (halves[..., 0::2] | (halves[..., 1::2] << 4)).astype(np.uint8)
    return packed.reshape(len(table), -1), scales[..., 0].astype(np.float32)
