"""Confidence intervals by bootstrap: the rows drawn again with replacement, a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from guardproxy.evals.metrics import Floats, Indexes

CONFIDENCE: Final = 0.95
_ROWS_AT_ONCE: Final = 2_000_000
"""Weights worked on at once: 16 MB each time they are copied."""
_DEFINED: Final = 0.9
"""Share of the resamples that must have the figure: few positives are missing from some."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Resamples:
    """How often each row was drawn, [resamples, rows]; the same for every figure of a run.

    So figures of one run can be compared: a draw that is kind to one category holds for all.
    """

    def __init__(self, rows: int, *, resamples: int, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self._weights: npt.NDArray[np.uint8] = np.zeros((resamples, rows), dtype=np.uint8)
        for each in range(resamples):
            drawn = np.bincount(draw.integers(0, rows, rows), minlength=rows)
            self._weights[each] = drawn

    def estimate(self, figure: Callable[[Floats | None], npt.ArrayLike], rows: Indexes) -> Estimate:
        """The figure on some of the rows, with its interval.

        Args:
            figure: of weights [resamples, len(rows)], or None where every row weighs 1.
            rows: indexes of the rows it is about.
        """
        value = float(np.asarray(figure(None)))
        if np.isnan(value):
            return Estimate(None)
        drawn = self.values(figure, rows)
        defined = drawn[~np.isnan(drawn)]
        if not len(drawn) or len(defined) < _DEFINED * len(drawn):
            return Estimate(value)
        return interval(value, defined)

    def values(self, figure: Callable[[Floats | None], npt.ArrayLike], rows: Indexes) -> Floats:
        """The figure in each of the resamples."""
        step = max(1, _ROWS_AT_ONCE // max(1, len(rows)))
        chunks = [
            np.asarray(figure(self._weights[start : start + step, rows].astype(np.float64)))
            for start in range(0, len(self._weights), step)
        ]
        return np.concatenate(chunks) if chunks else np.empty(0)


def interval(value: float, drawn: Floats) -> Estimate:
    """A figure between the percentiles of its resamples."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
