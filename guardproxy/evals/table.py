"""Rows, labels and scores as columns: one for each category, and two that are made of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from guardproxy.evals.metrics import Bools, Floats
from guardproxy.evals.rows import BENIGN, DANGEROUS_OR_CRIMINAL, LabelledText
from guardproxy.policy.decide import Guardrail, decide
from guardproxy.policy.taxonomy import V1_SOURCES, V2_CATEGORIES
from guardproxy.verdict import Direction, Verdict

ANY_HARM: Final = "any_harm"
"""1 where a category of harm is 1; 0 where the text is vouched for, or all of them are 0."""

HARMS: Final = (
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous",
    "criminal",
    "selfharm",
)
"""Harm as other moderation benchmarks count it: neither topics nor jailbreaks."""

COLUMNS: Final = (*V2_CATEGORIES, DANGEROUS_OR_CRIMINAL, ANY_HARM)
"""What is measured; macro figures are over `V2_CATEGORIES` alone."""

UNKNOWN: Final = -1
_UNION: Final = {DANGEROUS_OR_CRIMINAL: ("dangerous", "criminal"), ANY_HARM: HARMS}
_V1_UNION: Final = "dangerous_and_criminal_content"

Labels = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Flags:
    """What a policy says about rows: [rows] whether it blocks, [rows, COLUMNS] what it finds.

    `judged` [rows, COLUMNS] is false where the policy does not evaluate or has switched off.
    """

    blocked: Bools
    violated: Bools
    judged: Bools

    @property
    def found_something(self) -> Bools:
        """[rows] whether any category is violated."""
        return np.asarray(self.violated.any(axis=1))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with labels [rows, COLUMNS] (1, 0, or UNKNOWN) and scores [rows, COLUMNS] (or NaN).

    `benign` [rows] is true where a source vouches for the whole text. `default` are flags at the
    classifier's own thresholds, `policy` those of the policy.
    """

    rows: Sequence[LabelledText]
    labels: Labels
    scores: Floats
    benign: Bools
    default: Flags
    policy: Flags

    def known(self, column: str) -> Bools:
        """Rows whose label is known and which have a score."""
        index = COLUMNS.index(column)
        return np.asarray((self.labels[:, index] != UNKNOWN) & ~np.isnan(self.scores[:, index]))


@dataclass(frozen=True, slots=True)
class Guards:
    """The guardrails that decide about requests and about answers."""

    input: tuple[Guardrail, ...]
    output: tuple[Guardrail, ...]

    def of(self, direction: Direction) -> tuple[Guardrail, ...]:
        return self.input if direction is Direction.INPUT else self.output


def table(
    rows: Sequence[LabelledText], scores: Floats, *, default: Guards, policy: Guards
) -> Table:
    """Everything the figures are made of.

    Args:
        rows: labelled texts.
        scores: of each, [rows, V2_CATEGORIES]; NaN where the classifier does not judge.
        default: guardrails with the classifier's own thresholds.
        policy: the guardrails that are measured.
    """
    return Table(
        rows=rows,
        labels=np.array([_labels(row.labels) for row in rows], dtype=np.int8).reshape(
            len(rows), len(COLUMNS)
        ),
        scores=with_unions(scores),
        benign=np.array([row.labels.get(BENIGN, False) for row in rows], dtype=np.bool_),
        default=flags(rows, scores, default),
        policy=flags(rows, scores, policy),
    )


def with_unions(scores: Floats) -> Floats:
    """Scores [rows, V2_CATEGORIES] as [rows, COLUMNS]: a union has the highest of its parts."""
    unions = [
        scores[:, [V2_CATEGORIES.index(part) for part in parts]].max(axis=1, keepdims=True)
        for parts in _UNION.values()
    ]
    return np.concatenate([scores, *unions], axis=1)


def flags(rows: Sequence[LabelledText], scores: Floats, guards: Guards) -> Flags:
    """What guardrails say about each row, by the same `decide` as in `serve`.

    Args:
        rows: say which direction they are of.
        scores: [rows, V2_CATEGORIES].
        guards: a category that has no score is left out of them.
    """
    violated = np.zeros((len(rows), len(COLUMNS)), dtype=np.bool_)
    judged = np.zeros_like(violated)
    blocked = np.zeros(len(rows), dtype=np.bool_)
    active = {direction: _columns(_on(guards.of(direction))) for direction in Direction}
    for index, row in enumerate(rows):
        named = dict(zip(V2_CATEGORIES, scores[index].tolist(), strict=True))
        verdict = Verdict(decide(guards.of(row.direction), [("", named)]))
        blocked[index] = verdict.blocked
        violated[index] = _columns(verdict.violated_categories)
        judged[index] = active[row.direction]
    return Flags(blocked, violated, judged)


def _on(guardrails: Iterable[Guardrail]) -> list[str]:
    """Categories that can be violated at all."""
    return [
        category
        for guardrail in guardrails
        for category, threshold in guardrail.thresholds.items()
        if threshold < 1
    ]


def _columns(categories: Iterable[str]) -> list[bool]:
    """Which columns some categories of either vintage speak of."""
    named = set(categories)
    if _V1_UNION in named:
        named.add(DANGEROUS_OR_CRIMINAL)
    for union, parts in _UNION.items():
        if named.intersection(parts):
            named.add(union)
    if DANGEROUS_OR_CRIMINAL in named:
        named.add(ANY_HARM)
    return [column in named for column in COLUMNS]


def _labels(labels: Mapping[str, bool]) -> list[int]:
    known = dict(labels)
    both = [known.get(part) for part in _UNION[DANGEROUS_OR_CRIMINAL]]
    if DANGEROUS_OR_CRIMINAL not in known and (any(both) or None not in both):
        known[DANGEROUS_OR_CRIMINAL] = any(both)
    harms = [known.get(harm) for harm in HARMS]
    if any(harms) or known.get(DANGEROUS_OR_CRIMINAL):
        known[ANY_HARM] = True
    elif known.get(BENIGN) or None not in harms:
        known[ANY_HARM] = False
    return [int(known[column]) if column in known else UNKNOWN for column in COLUMNS]


def evaluated(guardrails: Iterable[Guardrail], covered: Iterable[str]) -> tuple[Guardrail, ...]:
    """Guardrails without the categories that a classifier does not judge, so that `decide` can.

    Args:
        guardrails: from `policy.decide.resolve`.
        covered: the v2 categories it judges; of a v1 category, it must judge all sources.
    """
    has = set(covered)

    def judges(category: str, version: int) -> bool:
        return has.issuperset(V1_SOURCES[category] if version == 1 else (category,))

    return tuple(
        replace(
            each,
            thresholds={c: t for c, t in each.thresholds.items() if judges(c, each.version)},
        )
        for each in guardrails
    )
