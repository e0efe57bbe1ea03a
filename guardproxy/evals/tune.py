"""Thresholds for a goal: at most so many false alarms, at least so precise, or least cost. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from guardproxy.evals.measure import FEWEST
from guardproxy.evals.metrics import Bools, Confusion, Floats, confusion
from guardproxy.evals.table import COLUMNS, Table

_STEPS: Final = 10_000
"""Thresholds are written with four digits; scores are not surer than that."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Thresholds, from low to high, and the rows above each of them."""

    thresholds: Floats
    hits: Floats
    false_alarms: Floats
    positives: int
    negatives: int


class Goal(Protocol):
    """What a threshold is chosen for."""

    @property
    def negatives(self) -> int:
        """Fewest negatives on which it can be seen."""
        ...

    def choose(self, candidates: Candidates) -> int | None:
        """Place of the best threshold; None if none will do."""
        ...


@dataclass(frozen=True, slots=True)
class FalsePositiveRate:
    """The lowest threshold that at most this share of the negatives is above."""

    most: float

    @property
    def negatives(self) -> int:
        return max(FEWEST, math.ceil(1 / self.most)) if self.most else FEWEST

    def choose(self, candidates: Candidates) -> int | None:
        # A hair more, so that 5 of 1,000 are 0.5 %.
        most = self.most * candidates.negatives * (1 + 1e-9)
        return _first(candidates.false_alarms <= most)


@dataclass(frozen=True, slots=True)
class Precision:
    """The lowest threshold above which at least this share is positive."""

    least: float

    @property
    def negatives(self) -> int:
        return FEWEST

    def choose(self, candidates: Candidates) -> int | None:
        flagged = candidates.hits + candidates.false_alarms
        return _first((flagged > 0) & (candidates.hits >= self.least * flagged))


@dataclass(frozen=True, slots=True)
class Cost:
    """The threshold that costs least, if a miss costs as much as so many false alarms."""

    of_a_miss: float

    @property
    def negatives(self) -> int:
        return FEWEST

    def choose(self, candidates: Candidates) -> int | None:
        missed = candidates.positives - candidates.hits
        return int(np.argmin(missed * self.of_a_miss + candidates.false_alarms))


@dataclass(frozen=True, slots=True)
class Choice:
    """A category's threshold before and after, and what each makes of the rows.

    Where nothing was chosen, `kept` says why, and `after` is `before`.
    """

    category: str
    positives: int
    negatives: int
    before: float
    after: float
    at_before: Confusion
    at_after: Confusion
    kept: str | None = None


def tune(table: Table, before: Mapping[str, float], goal: Goal) -> list[Choice]:
    """A threshold for each category.

    Args:
        table: labels and scores.
        before: v2 category -> threshold that counts now; only these are chosen.
        goal: what for.
    """
    return [_choice(table, category, now, goal) for category, now in before.items()]


def _choice(table: Table, category: str, before: float, goal: Goal) -> Choice:
    index = COLUMNS.index(category)
    known = np.flatnonzero(table.known(category))
    positive, scores = table.labels[known, index] == 1, table.scores[known, index]
    positives, negatives = int(positive.sum()), int((~positive).sum())
    after, kept = before, None
    if positives < FEWEST or negatives < goal.negatives:
        kept = f"too few rows: it takes {FEWEST} positives and {goal.negatives} negatives"
    elif (chosen := best(positive, scores, goal)) is None:
        kept = "no threshold reaches it"
    else:
        after = chosen
    return Choice(
        category=category,
        positives=positives,
        negatives=negatives,
        before=before,
        after=after,
        at_before=confusion(positive, scores > before),
        at_after=confusion(positive, scores > after),
        kept=kept,
    )


def best(positive: Bools, scores: Floats, goal: Goal) -> float | None:
    """The threshold for a goal, of four digits and below 1; None if none reaches it.

    A score is flagged above its threshold, so each score, rounded up, is a candidate.
    """
    steps = np.ceil(scores * _STEPS)
    # A product is rounded: .34 times 10,000 is more than 3,400.
    steps -= (steps - 1) / _STEPS >= scores
    steps += steps / _STEPS < scores
    rounded = np.unique(np.append(0.0, steps / _STEPS))
    # Not 1: that would switch the category off.
    thresholds = rounded[rounded < 1]
    candidates = Candidates(
        thresholds=thresholds,
        hits=_above(scores[positive], thresholds),
        false_alarms=_above(scores[~positive], thresholds),
        positives=int(positive.sum()),
        negatives=int((~positive).sum()),
    )
    place = goal.choose(candidates)
    return None if place is None else float(thresholds[place])


def _above(scores: Floats, thresholds: Floats) -> Floats:
    """How many scores are above each threshold."""
    return (len(scores) - np.searchsorted(np.sort(scores), thresholds, side="right")).astype(
        np.float64
    )


def _first(good: Bools) -> int | None:
    places: Sequence[int] = np.flatnonzero(good).tolist()
    return places[0] if places else None
