"""Average precision where a label is known. `guardproxy eval` measures much more; this chooses."""

from __future__ import annotations

from typing import Final

import numpy as np

from training.arrays import Floats, Labels
from training.rows import LABELS

_LEAST_OF_EACH: Final = 8


def average_precision(scores: Floats, truth: Labels) -> float:
    """Mean, over the positives, of the precision at their score; ties count together."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order].astype(np.float64)
    last = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    found = np.cumsum(hits)[last]
    precision = found / (last + 1)
    return float((np.diff(found, prepend=0.0) * precision).sum() / hits.sum())


def area_under_roc(scores: Floats, truth: Labels) -> float:
    """How likely a positive scores higher than a negative; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = truth.sum()
    negatives = len(truth) - positives
    return float(
        (ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    )


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
