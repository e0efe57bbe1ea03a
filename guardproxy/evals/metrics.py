"""Figures of a binary judge, on arrays: pure, and held against scikit-learn by the tests.

Written here, because every figure is wanted for hundreds of weighted resamples at once, and the
package should measure itself without more than numpy. `weights` has the shape [..., rows]; what
comes out has the shape [...]. A figure that is not defined (no positives) is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Indexes = npt.NDArray[np.intp]

CALIBRATION_BINS: Final = 15
"""Bins of equal width over 0..1 for the calibration error, as most who publish it use."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows from the highest score to the lowest.

    `order` holds row indexes, `positive` their labels in that order, `scores` their scores, `ends`
    the places at which a run of equal scores ends: only there a threshold can lie.
    """

    order: Indexes
    positive: Bools
    scores: Floats
    ends: Indexes


def rank(positive: Bools, scores: Floats) -> Ranking:
    """Rows [rows] in the order of their scores."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), max(0, len(ranked) - 1)).astype(np.intp)
    return Ranking(order, positive[order], ranked, ends)


@dataclass(frozen=True, slots=True)
class Counts:
    """Weight of true and false positives above each possible threshold, shape [..., thresholds]."""

    true: Floats
    false: Floats

    @property
    def recall(self) -> Floats:
        return _ratio(self.true, self.true[..., -1:])

    @property
    def false_positive_rate(self) -> Floats:
        return _ratio(self.false, self.false[..., -1:])

    @property
    def precision(self) -> Floats:
        return _ratio(self.true, self.true + self.false)


def counts(ranking: Ranking, weights: Floats | None = None) -> Counts:
    """Cumulated weights at every threshold; every row weighs 1 if not given."""
    given = np.ones(len(ranking.order)) if weights is None else weights
    ranked = given[..., ranking.order]
    true = np.cumsum(ranked * ranking.positive, axis=-1)[..., ranking.ends]
    return Counts(true, np.cumsum(ranked, axis=-1)[..., ranking.ends] - true)


def average_precision(at: Counts) -> Floats:
    """Area under precision over recall, by steps (not interpolated): `average_precision_score`."""
    steps = np.diff(at.recall, axis=-1, prepend=0.0)
    # Where nothing is above a threshold there is no precision, and no step either.
    precision = np.where(steps > 0, at.precision, 0.0)
    return np.asarray((steps * precision).sum(axis=-1) + _undefined(at.true))


def roc_auc(at: Counts) -> Floats:
    """Area under recall over false positive rate: how often a positive ranks above a negative."""
    recall, rate = at.recall, at.false_positive_rate
    before = np.concatenate([np.zeros_like(recall[..., :1]), recall[..., :-1]], axis=-1)
    steps = np.diff(rate, axis=-1, prepend=0.0)
    return np.asarray((steps * (recall + before) / 2).sum(axis=-1))


def recall_at(at: Counts, false_positive_rate: float) -> Floats:
    """Highest recall of a threshold with at most this false positive rate; 0 if none has."""
    # A hair more, so that 1 of 100 counts as 1 %.
    allowed = at.false_positive_rate <= false_positive_rate * (1 + 1e-9)
    best = np.where(allowed, at.recall, 0.0).max(axis=-1)
    return np.asarray(best + _undefined(at.true) + _undefined(at.false))


@dataclass(frozen=True, slots=True)
class Confusion:
    """Weights of the four outcomes of a threshold, shape [...]."""

    hit: Floats
    false_alarm: Floats
    miss: Floats
    correct_pass: Floats

    @property
    def precision(self) -> Floats:
        return _ratio(self.hit, self.hit + self.false_alarm)

    @property
    def recall(self) -> Floats:
        return _ratio(self.hit, self.hit + self.miss)

    @property
    def f1(self) -> Floats:
        """Defined where there are positives; 0 where none of them is found."""
        return _ratio(2 * self.hit, 2 * self.hit + self.false_alarm + self.miss) + (
            np.where(self.hit + self.miss > 0, 0.0, np.nan)
        )

    @property
    def false_positive_rate(self) -> Floats:
        return _ratio(self.false_alarm, self.false_alarm + self.correct_pass)


def confusion(positive: Bools, flagged: Bools, weights: Floats | None = None) -> Confusion:
    """What a threshold makes of rows [rows]."""
    given = np.ones(len(positive)) if weights is None else weights

    def weight(which: Bools) -> Floats:
        return np.asarray(given[..., which].sum(axis=-1))

    return Confusion(
        hit=weight(positive & flagged),
        false_alarm=weight(~positive & flagged),
        miss=weight(positive & ~flagged),
        correct_pass=weight(~positive & ~flagged),
    )


@dataclass(frozen=True, slots=True)
class Reliability:
    """Per bin of scores: rows, mean score, share of positives; empty bins are NaN."""

    rows: Floats
    score: Floats
    positive: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: distance of score and share, weighted by rows."""
        if not self.rows.sum():
            return float("nan")
        distance = np.abs(self.score - self.positive)
        return float(np.nansum(self.rows * distance) / self.rows.sum())


def reliability(positive: Bools, scores: Floats, bins: int = CALIBRATION_BINS) -> Reliability:
    """Scores against what is true, in `bins` bins of equal width; 1.0 is in the last."""
    places = np.minimum((scores * bins).astype(np.intp), bins - 1)
    rows = np.bincount(places, minlength=bins).astype(np.float64)
    return Reliability(
        rows,
        _ratio(_binned(places, scores, bins), rows),
        _ratio(_binned(places, positive.astype(np.float64), bins), rows),
    )


def _binned(places: Indexes, values: Floats, bins: int) -> Floats:
    return np.bincount(places, values, bins).astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part of a whole; NaN where the whole is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole)


def _undefined(cumulated: Floats) -> Floats:
    """NaN where nothing was counted in the end, else 0."""
    return np.where(cumulated[..., -1] > 0, 0.0, np.nan)
