"""Scores that mean something: logits to probabilities, and thresholds at a false-positive rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from training.arrays import Floats, Labels
from training.config import CATEGORIES

DANGEROUS_AND_CRIMINAL: Final = "dangerous_and_criminal_content"
_STEPS: Final = 60
_RIDGE: Final = 1e-3
_BINS: Final = 10
_LEAST_OF_EACH: Final = 8
_DECIMALS: Final = 3
_DRAWS: Final = 40
_HIGHEST: Final = 0.999
"""Of all thresholds: what is surer than that is flagged whatever it costs."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Per category: probability = sigmoid(slope * logit + offset)."""

    slopes: Floats
    offsets: Floats

    def probabilities(self, logits: Floats) -> Floats:
        """[texts, categories] -> the same."""
        result: Floats = 1 / (1 + np.exp(-(logits * self.slopes + self.offsets)))
        return result


def calibrate(logits: Floats, labels: Labels) -> Calibration:
    """Platt's line for each category, on texts whose label is known.

    Raises:
        ValueError: a category has hardly any text of one kind.
    """
    lines = []
    for place, name in enumerate(CATEGORIES):
        known = labels[:, place] >= 0
        truth = labels[known, place].astype(np.float64)
        if min(truth.sum(), (1 - truth).sum()) < _LEAST_OF_EACH:
            raise ValueError(f"{name}: too few texts to calibrate on")
        lines.append(_platt(logits[known, place].astype(np.float64), truth))
    slopes, offsets = np.array(lines, np.float32).T
    return Calibration(slopes, offsets)


def _platt(logits: Floats, truth: Floats) -> tuple[float, float]:
    """Logistic regression on one number, by Newton's method.

    Targets are Platt's, a little away from 0 and 1, so that separable data stay finite.
    """
    positives, negatives = truth.sum(), (1 - truth).sum()
    target = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.stack([logits, np.ones_like(logits)], axis=1)
    line = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        gradient = design.T @ (probability - target) + _RIDGE * (line - [1.0, 0.0])
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design
        step = np.linalg.solve(curvature + _RIDGE * np.eye(2), gradient)
        line = line - np.clip(step, -1, 1)
    return max(0.05, float(line[0])), float(line[1])


def reliability(scores: Floats, labels: Labels) -> list[dict[str, float]]:
    """All categories together in ten bins: mean score, share that is true, how many."""
    known = labels[:, : len(CATEGORIES)] >= 0
    score, truth = scores[known], labels[:, : len(CATEGORIES)][known]
    bins = np.minimum((score * _BINS).astype(int), _BINS - 1)
    return [
        {
            "score": round(float(score[bins == number].mean()), _DECIMALS),
            "true": round(float(truth[bins == number].mean()), _DECIMALS),
            "texts": int((bins == number).sum()),
        }
        for number in range(_BINS)
        if (bins == number).any()
    ]


def expected_error(rows: Sequence[Mapping[str, Any]]) -> float:
    """Expected calibration error of `reliability`."""
    total = sum(row["texts"] for row in rows)
    return float(sum(abs(row["score"] - row["true"]) * row["texts"] for row in rows) / total)


def thresholds(
    benign: Floats,
    *,
    each: float,
    together: float,
    blocking: Sequence[str],
    harmful: Mapping[str, Floats] = MappingProxyType({}),
) -> dict[str, float]:
    """Default thresholds, from scores of harmless texts [texts, categories].

    Args:
        benign: harmless texts of all languages.
        each: share of them that may reach a category's threshold.
        together: share of them that a policy which blocks on `blocking` may block.
        blocking: those categories; their thresholds rise until that holds, always the one next
            that costs the harmonic mean of their recalls least, so that none pays for all others;
            of equals the one that most harmless texts reach.
        harmful: scores of texts that are in a category, to know its recall.
    """
    ranked = {name: np.sort(benign[:, i])[::-1] for i, name in enumerate(CATEGORIES)}
    allowed = dict.fromkeys(CATEGORIES, int(each * len(benign)))
    places = [CATEGORIES.index(name) for name in blocking]

    def limit(name: str, count: int) -> float:
        return _above(float(ranked[name][count]))

    def missed(name: str, count: int) -> float:
        scores = harmful.get(name, np.zeros(0))
        found = float((scores >= limit(name, count)).sum())
        return (len(scores) + 0.5) / (found + 0.5)  # one over recall; half a text: never over 0

    def lost(name: str) -> tuple[float, int]:
        count = allowed[name]
        return missed(name, count - 1) - missed(name, count), -count

    while _blocked(benign[:, places], [limit(n, allowed[n]) for n in blocking]) > together:
        candidates = [name for name in blocking if allowed[name]]
        if not candidates:
            break  # thresholds are above the highest score already
        allowed[min(candidates, key=lost)] -= 1
    result = {name: limit(name, allowed[name]) for name in CATEGORIES}
    pair = [CATEGORIES.index("dangerous"), CATEGORIES.index("criminal")]
    union = np.sort(benign[:, pair].max(axis=1))[::-1]
    result[DANGEROUS_AND_CRIMINAL] = _above(
        float(union[max(allowed["dangerous"], allowed["criminal"])])
    )
    return result


def averaged_thresholds(
    benign: Floats,
    *,
    each: float,
    together: float,
    blocking: Sequence[str],
    harmful: Mapping[str, Floats] = MappingProxyType({}),
) -> dict[str, float]:
    """The same, averaged in log-odds over draws of the texts with replacement.

    A few texts decide where a threshold comes to stand and which category gives way. On halves of
    the development rows thresholds averaged so found more on the other half, at the same share of
    harmless texts blocked (Breiman, "Bagging Predictors", 1996). Of the texts they were chosen on
    they may block a little more than `each` and `together` say.
    """
    chance = np.random.default_rng(0)
    drawn = [
        thresholds(
            chance.choice(benign, len(benign)),
            each=each,
            together=together,
            blocking=blocking,
            harmful={name: chance.choice(scores, len(scores)) for name, scores in harmful.items()},
        )
        for _ in range(_DRAWS)
    ]
    limits = np.array([list(found.values()) for found in drawn])
    odds = np.log(limits / (1 - limits)).mean(axis=0)
    averaged = np.round(1 / (1 + np.exp(-odds)), _DECIMALS)
    return dict(zip(drawn[0], averaged.tolist(), strict=True))


def partial_thresholds(
    prefixes: Sequence[Floats],
    benign: Floats,
    defaults: Mapping[str, float],
    *,
    blocking: Sequence[str],
    more: float = 0.1,
) -> dict[str, float]:
    """For unfinished text, where the default would flag more of it than of finished text.

    A stream is judged again and again, so the highest scores of a text's prefixes count, and of
    texts that are flagged whole nothing is lost. What is between the two thresholds only waits.

    Args:
        prefixes: scores of harmless texts cut short, each [texts, categories].
        benign: scores of the same texts whole.
        defaults: threshold of each category.
        blocking: categories that a policy blocks on; of those that still block too much, the one
            that most texts reach rises first.
        more: texts that only a prefix flags, as a share of those that are flagged whole: at most,
            in each category, and of those that are blocked in `blocking` together.
    """
    whole = np.array([defaults[name] for name in CATEGORIES])
    cut: Floats = np.maximum.reduce(list(prefixes))
    limits = np.array(
        [
            max(
                limit,
                _left_over(cut[benign[:, i] < limit, i], more * (benign[:, i] >= limit).sum()),
            )
            for i, limit in enumerate(whole)
        ]
    )
    places = [CATEGORIES.index(name) for name in blocking]
    blocked = (benign[:, places] >= whole[places]).any(axis=1)
    others = cut[~blocked]
    while (others[:, places] >= limits[places]).any(axis=1).sum() > more * blocked.sum():
        movable = [i for i in places if limits[i] < _HIGHEST]
        if not movable:
            break
        place = max(movable, key=lambda i: int((others[:, i] >= limits[i]).sum()))
        limits[place] = _above(float(np.min(others[others[:, place] >= limits[place], place])))
    raised = limits > whole
    return {name: float(limits[i]) for i, name in enumerate(CATEGORIES) if raised[i]}


def _left_over(scores: Floats, most: float) -> float:
    """The least threshold that no more than so many scores reach."""
    ranked = np.sort(scores)[::-1]
    return _above(float(ranked[int(most)])) if int(most) < len(ranked) else 0.0


def _above(score: float) -> float:
    """The least threshold, to three decimals, that this score does not reach."""
    return round(min(_HIGHEST, max(0.01, float(np.ceil(score * 1000 + 1e-6)) / 1000)), _DECIMALS)


def _blocked(scores: Floats, limits: Sequence[float] | Floats) -> float:
    return float((scores >= np.array(limits)).any(axis=1).mean())
