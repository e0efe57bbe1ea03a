"""A table of labels and scores -> figures, with their intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from guardproxy.evals import metrics
from guardproxy.evals.metrics import Bools, Confusion, Floats, Indexes
from guardproxy.evals.report import AtThreshold, CategoryFigures, Section, SliceFigures
from guardproxy.evals.resamples import Estimate, Resamples, interval
from guardproxy.evals.rows import LabelledText
from guardproxy.evals.table import COLUMNS, Flags, Table
from guardproxy.policy.taxonomy import V2_CATEGORIES

FEWEST: Final = 10
"""Positives, and negatives, that a figure needs; of fewer it says more about them than a judge."""

_NORMAL_975: Final = 1.959964
"""97.5 % of a normal distribution lie below so many standard deviations."""

_LENGTHS: Final = (50, 200, 1000)
"""Ends of the length buckets, in characters."""

SLICES: Mapping[str, Callable[[LabelledText], str]] = {
    "language": lambda row: row.lang,
    "role": lambda row: row.role,
    "length": lambda row: length_bucket(len(row.text)),
    "source": lambda row: row.source,
}
"""Name of a way to cut the rows -> which slice a row belongs to."""


def length_bucket(characters: int) -> str:
    """Name of the bucket; names sort in the order of lengths."""
    start = 0
    for end in _LENGTHS:
        if characters <= end:
            return f"{start:>4}-{end}".strip()
        start = end + 1
    return f"{start}+"


def section(name: str, table: Table, rows: Indexes, resamples: Resamples) -> Section:
    """Everything about some rows of a table."""
    figures = [category(table, column, rows, resamples) for column in COLUMNS]
    benign = rows[table.benign[rows]]
    return Section(
        name=name,
        rows=len(rows),
        sources=sorted({table.rows[row].source for row in rows}),
        macro=macro(table, rows, resamples),
        categories=figures,
        benign=len(benign),
        blocked_benign=share(table.policy.blocked, benign),
        flagged_benign={
            column: float(table.default.violated[benign, index].mean())
            for index, column in enumerate(COLUMNS)
            if len(benign)
        },
        slices={kind: _slices(table, rows, resamples, of) for kind, of in SLICES.items()},
    )


def category(table: Table, column: str, rows: Indexes, resamples: Resamples) -> CategoryFigures:
    """One category on those of the rows where it is known."""
    known = rows[table.known(column)[rows]]
    positive, scores = _labels_and_scores(table, column, known)
    enough = _enough(positive)

    def estimate(figure: Callable[[metrics.Counts], Floats], at_least: int = 0) -> Estimate:
        if not enough or int((~positive).sum()) < at_least:
            return Estimate(None)
        ranking = metrics.rank(positive, scores)
        return resamples.estimate(lambda weights: figure(metrics.counts(ranking, weights)), known)

    return CategoryFigures(
        category=column,
        positives=int(positive.sum()),
        negatives=int((~positive).sum()),
        average_precision=estimate(metrics.average_precision),
        roc_auc=estimate(metrics.roc_auc),
        # A rate of 1 in 100 cannot be seen on fewer than 100 negatives.
        recall_at_1_percent=estimate(lambda at: metrics.recall_at(at, 0.01), 100),
        recall_at_0_1_percent=estimate(lambda at: metrics.recall_at(at, 0.001), 1000),
        calibration_error=metrics.reliability(positive, scores).error if enough else None,
        default=_at_threshold(table, table.default, column, known, resamples),
        policy=_at_threshold(table, table.policy, column, known, resamples),
    )


def _at_threshold(
    table: Table, flags: Flags, column: str, known: Indexes, resamples: Resamples
) -> AtThreshold | None:
    index = COLUMNS.index(column)
    judged = known[flags.judged[known, index]]
    if not len(judged):
        return None
    positive = table.labels[judged, index] == 1
    flagged = flags.violated[judged, index]

    def estimate(figure: Callable[[Confusion], Floats]) -> Estimate:
        return resamples.estimate(
            lambda weights: figure(metrics.confusion(positive, flagged, weights)), judged
        )

    return AtThreshold(
        precision=estimate(lambda outcome: outcome.precision),
        recall=estimate(lambda outcome: outcome.recall),
        f1=estimate(lambda outcome: outcome.f1),
        false_positive_rate=estimate(lambda outcome: outcome.false_positive_rate),
    )


def macro(table: Table, rows: Indexes, resamples: Resamples) -> Estimate:
    """Mean average precision over the categories that have enough of the rows."""
    values, drawn = [], []
    for column in V2_CATEGORIES:
        known = rows[table.known(column)[rows]]
        positive, scores = _labels_and_scores(table, column, known)
        if _enough(positive):
            figure = _average_precision(positive, scores)
            values.append(float(figure(None)))
            drawn.append(resamples.values(figure, known))
    if not values:
        return Estimate(None)
    means = np.mean(drawn, axis=0)
    defined = means[~np.isnan(means)]
    value = float(np.mean(values))
    return interval(value, defined) if len(defined) else Estimate(value)


def average_precisions(table: Table, rows: Indexes) -> dict[str, float]:
    """Category -> AP, for those that have enough of the rows; without intervals."""
    return _by_category(metrics.average_precision, table, rows)


def _by_category(
    figure: Callable[[metrics.Counts], Floats], table: Table, rows: Indexes
) -> dict[str, float]:
    found = {}
    for column in V2_CATEGORIES:
        positive, scores = _labels_and_scores(table, column, rows[table.known(column)[rows]])
        if _enough(positive):
            found[column] = float(figure(metrics.counts(metrics.rank(positive, scores))))
    return found


def found(table: Table, rows: Indexes) -> tuple[int, Estimate]:
    """Rows with a category that is 1, and of how many one of these is flagged by default."""
    positive = table.labels == 1
    harmful = rows[positive[rows].any(axis=1)]
    hit = (positive & table.default.violated).any(axis=1)
    return len(harmful), share(hit, harmful)


def share(of: Bools, rows: Indexes) -> Estimate:
    """Of how many of the rows it is true, with Wilson's 95 % interval.

    Not by bootstrap: of none of 20, every resample finds none, and that is not what is known.
    """
    count = len(rows)
    if not count:
        return Estimate(None)
    value = float(of[rows].mean())
    square = _NORMAL_975**2 / count
    middle = (value + square / 2) / (1 + square)
    reach = _NORMAL_975 / (1 + square) * math.sqrt(value * (1 - value) / count + square / count / 4)
    return Estimate(value, max(0.0, middle - reach), min(1.0, middle + reach))


def _slices(
    table: Table, rows: Indexes, resamples: Resamples, of: Callable[[LabelledText], str]
) -> Sequence[SliceFigures]:
    names = np.array([of(table.rows[row]) for row in rows])
    whole = average_precisions(table, rows)
    return [
        _slice(str(name), table, rows[names == name], resamples, whole)
        for name in sorted(set(names.tolist()), key=_by_length)
    ]


def _by_length(name: str) -> tuple[int, str]:
    """Length buckets by their start, everything else by name."""
    start = name.partition("-")[0].rstrip("+")
    return (int(start) if start.isdecimal() and start.isascii() else -1, name)


def _slice(
    name: str, table: Table, rows: Indexes, resamples: Resamples, whole: Mapping[str, float]
) -> SliceFigures:
    precisions = average_precisions(table, rows)
    benign = rows[table.benign[rows]]
    positives, hit = found(table, rows)
    return SliceFigures(
        name=name,
        rows=len(rows),
        macro=macro(table, rows, resamples),
        macro_of_all=float(np.mean([whole[c] for c in precisions])) if precisions else None,
        average_precision=precisions,
        roc_auc=_by_category(metrics.roc_auc, table, rows),
        positives=positives,
        found=hit,
        benign=len(benign),
        blocked_benign=share(table.policy.blocked, benign),
    )


def _labels_and_scores(table: Table, column: str, known: Indexes) -> tuple[Bools, Floats]:
    index = COLUMNS.index(column)
    return table.labels[known, index] == 1, table.scores[known, index]


def _average_precision(positive: Bools, scores: Floats) -> Callable[[Floats | None], Floats]:
    ranking = metrics.rank(positive, scores)
    return lambda weights: metrics.average_precision(metrics.counts(ranking, weights))


def _enough(positive: Bools) -> bool:
    return int(positive.sum()) >= FEWEST and int((~positive).sum()) >= FEWEST
