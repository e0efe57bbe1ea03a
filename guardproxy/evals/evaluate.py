"""Labelled texts -> a report: what is read, what is judged, in which order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Final

import numpy as np

from guardproxy.content import Passage
from guardproxy.evals.behind import Talks, found_behind, put_behind
from guardproxy.evals.buried import Burial, bury, found_buried
from guardproxy.evals.judge import score
from guardproxy.evals.measure import section
from guardproxy.evals.metrics import Floats, Indexes
from guardproxy.evals.report import Report, Section
from guardproxy.evals.resamples import Resamples
from guardproxy.evals.rows import LabelledText
from guardproxy.evals.score_store import Scored
from guardproxy.evals.table import Guards, Table, evaluated, table
from guardproxy.evals.variants import (
    SHARES,
    beginning,
    context,
    conversations,
    partial,
    passage,
)
from guardproxy.guard import Classifier
from guardproxy.policy.active import ActivePolicy
from guardproxy.policy.config import GuardrailConfig, ModerationV2Config
from guardproxy.policy.decide import resolve
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Direction

PARTIAL_ROWS: Final = 2_000
"""Most answers that are also judged cut: thousands more would narrow the intervals little."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how closely.

    `trained_on` are the sources the model has seen, None if nobody says. `partial` adds answers
    that are cut, `buried` harmful texts among harmless ones, `behind` texts behind turns that have
    nothing to do with them. `resamples` and `seed` are the bootstrap's.
    """

    rows: Sequence[LabelledText]
    trained_on: frozenset[str] | None = None
    partial: bool = False
    buried: bool = False
    behind: bool = False
    resamples: int = 200
    seed: int = 0

    @property
    def sections(self) -> dict[str, Indexes]:
        """Name -> rows; the first is the headline, none is empty."""
        everything = np.arange(len(self.rows))
        if self.trained_on is None:
            return {"all sources": everything}
        known = np.array([row.source in self.trained_on for row in self.rows], dtype=np.bool_)
        halves = {
            "sources never trained on": everything[~known],
            "sources trained on": everything[known],
        }
        return {name: rows for name, rows in halves.items() if len(rows)}

    @property
    def headline(self) -> Indexes:
        """Rows of the section that is quoted."""
        return next(iter(self.sections.values()))


@dataclass(frozen=True, slots=True)
class Scoring:
    """How texts get their scores: by whom, and where scores are remembered."""

    classifier: Classifier
    identity: bytes
    store: Scored
    advance: Callable[[int], None]

    async def __call__(self, passages: Sequence[Passage]) -> Floats:
        return await score(
            self.classifier,
            passages,
            identity=self.identity,
            store=self.store,
            advance=self.advance,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything that is judged for a plan, in one list, so that equal texts cost once."""

    whole: tuple[Passage, ...]
    answers: Indexes
    cut: tuple[Passage, ...]
    alone: tuple[Passage, ...]
    before: tuple[Passage, ...]
    burial: Burial
    talks: Talks
    context_characters: int

    @property
    def _parts(self) -> tuple[tuple[Passage, ...], ...]:
        made = (
            tuple(passage(row, self.context_characters) for row in rows)
            for rows in (
                self.burial.buried,
                self.burial.around,
                self.talks.harm,
                self.talks.clean,
                self.talks.after,
            )
        )
        return self.whole, self.cut, self.alone, self.before, *made

    @property
    def passages(self) -> tuple[Passage, ...]:
        return tuple(chain.from_iterable(self._parts))

    def parts(self, scores: Floats) -> Sequence[Floats]:
        """Scores of `passages`, taken apart again: of `whole`, `cut`, `alone`, `before`, of the
        buried texts, of what is around them, and of the three kinds of talks.
        """
        sizes = [len(part) for part in self._parts]
        return np.split(scores, list(accumulate(sizes))[:-1])


def asked(plan: Plan, context_characters: int) -> Asked:
    """What must be judged to answer a plan."""
    answers = _answers(plan.rows) if plan.partial else np.empty(0, dtype=np.intp)
    talk = conversations(plan.rows, context_characters)
    return Asked(
        whole=tuple(passage(row, context_characters) for row in plan.rows),
        answers=answers,
        cut=tuple(
            passage(beginning(plan.rows[row], part), context_characters)
            for part in SHARES
            for row in answers.tolist()
        ),
        alone=talk.alone,
        before=talk.before,
        burial=bury(plan.rows if plan.buried else (), plan.seed),
        talks=put_behind(plan.rows if plan.behind else (), plan.seed),
        context_characters=context_characters,
    )


async def evaluate(plan: Plan, policy: ActivePolicy, scoring: Scoring) -> tuple[Report, Table]:
    """Judges all of a plan and measures it; also the table, for plots.

    Raises:
        ClassifierError: a text could not be judged.
    """
    wanted = asked(plan, scoring.classifier.context_characters)
    whole, cut, alone, before, hidden, around, harm, clean, after = wanted.parts(
        await scoring(wanted.passages)
    )
    covered = [c for c, column in zip(V2_CATEGORIES, whole.T, strict=True) if _judged(column)]
    default = default_guards(scoring.classifier.default_thresholds, covered)
    measured = Guards(evaluated(policy.input, covered), evaluated(policy.output, covered))
    seen = table(plan.rows, whole, default=default, policy=measured)
    draws = Resamples(len(plan.rows), resamples=plan.resamples, seed=plan.seed)
    report = Report(
        sections=_sections(plan, seen, draws),
        partial=partial(
            seen,
            dict(zip(SHARES, np.split(cut, len(SHARES)), strict=True)) if plan.partial else {},
            rows=wanted.answers,
            default=default,
            policy=measured,
            early=Guards(measured.input, evaluated(policy.early, covered)),
            resamples=draws,
        ),
        context=context(
            seen,
            conversations(plan.rows, scoring.classifier.context_characters),
            alone=alone,
            before=before,
            default=default,
            reads_context=scoring.classifier.context_characters > 0,
        ),
        buried=found_buried(seen, wanted.burial, buried=hidden, around=around, policy=measured),
        behind=found_behind(
            seen, wanted.talks, harm=harm, clean=clean, after=after, policy=measured
        ),
    )
    return report, seen


def default_guards(thresholds: Mapping[str, float], covered: Sequence[str]) -> Guards:
    """Every category that is judged, at the classifier's own threshold, whoever speaks."""
    everything = GuardrailConfig(moderation_llm_v2=ModerationV2Config())
    # A category that nobody judges has no threshold either; it is left out right after.
    guardrails = resolve((everything,), dict.fromkeys(V2_CATEGORIES, 1.0) | dict(thresholds))
    own = evaluated(guardrails, covered)
    return Guards(own, own)


def sampled(rows: Sequence[LabelledText], most: int) -> list[LabelledText]:
    """At most so many rows of each source and language, the same ones every time."""
    taken: dict[tuple[str, str], int] = {}
    chosen = set()
    for index in sorted(range(len(rows)), key=lambda index: _lot(rows[index])):
        group = (rows[index].source, rows[index].lang)
        if taken.get(group, 0) < most:
            taken[group] = taken.get(group, 0) + 1
            chosen.add(index)
    return [row for index, row in enumerate(rows) if index in chosen]


def _lot(row: LabelledText) -> bytes:
    """A number drawn by the row itself: other rows do not change who is chosen."""
    name = f"{row.source}\0{row.id}\0{row.text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=16).digest()


def _answers(rows: Sequence[LabelledText]) -> Indexes:
    answers = [i for i, row in enumerate(rows) if row.direction is Direction.OUTPUT]
    drawn = sorted(answers, key=lambda index: _lot(rows[index]))[:PARTIAL_ROWS]
    return np.array(sorted(drawn), dtype=np.intp)


def _judged(scores: Floats) -> bool:
    return not bool(np.isnan(scores).all())


def _sections(plan: Plan, seen: Table, draws: Resamples) -> list[Section]:
    return [section(name, seen, rows, draws) for name, rows in plan.sections.items()]
