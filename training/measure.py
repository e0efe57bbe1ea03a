"""Average precision where a label is known. `guardproxy eval` measures much more; this chooses."""

from __future__ import annotations

from typing import Final

import numpy as np

from guardproxy.evals import metrics
from training.arrays import Floats, Labels
from training.rows import LABELS

_LEAST_OF_EACH: Final = 8


def average_precision(scores: Floats, truth: Labels) -> float:
    """Of one category, as `guardproxy eval` has it."""
    ranking = metrics.rank(truth == 1, scores.astype(np.float64))
    return float(metrics.average_precision(metrics.counts(ranking)))


def table(scores: Floats, labels: Labels) -> dict[str, float]:
    """Average precision of every category that has enough texts of both kinds."""
    result = {}
    for place, name in enumerate(LABELS[: scores.shape[1]]):
        known = labels[:, place] >= 0
        truth = labels[known, place]
        if min(truth.sum(), (1 - truth).sum()) >= _LEAST_OF_EACH:
            result[name] = round(average_precision(scores[known, place], truth), 4)
    return result


def macro(found: dict[str, float]) -> float:
    """Mean over the categories."""
    return round(sum(found.values()) / len(found), 4) if found else float("nan")
