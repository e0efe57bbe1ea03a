"""The same rows seen otherwise: answers that are not finished yet, last messages without their
conversation. What must be judged for that, and what follows from the scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from guardproxy.content import Passage
from guardproxy.evals.measure import average_precisions, found, macro, share
from guardproxy.evals.metrics import Bools, Floats, Indexes
from guardproxy.evals.report import ContextFigures, PartialFigures
from guardproxy.evals.resamples import Estimate, Resamples
from guardproxy.evals.rows import LabelledText
from guardproxy.evals.table import Guards, Table, flags, table
from guardproxy.guard import context_of, passages_of

SHARES: Final = (0.25, 0.5, 0.75, 1.0)
"""Parts of a text, by characters, at which unfinished text is measured."""


def passage(row: LabelledText, context_characters: int) -> Passage:
    """The text with its conversation, cut as `guard` cuts it; an assistant's too, as moderation
    endpoints are asked.
    """
    return Passage(row.text, context_of(row.context, context_characters))


def beginning(row: LabelledText, part: float) -> LabelledText:
    """The row with the first part of its text; its labels are those of the whole."""
    return replace(row, text=row.text[: math.ceil(len(row.text) * part)])


def partial(
    whole: Table,
    scores: Mapping[float, Floats],
    *,
    rows: Indexes,
    default: Guards,
    policy: Guards,
    early: Guards,
    resamples: Resamples,
) -> list[PartialFigures]:
    """Figures of cut texts.

    Args:
        whole: the table of the whole texts.
        scores: part of the text -> scores [len(rows), V2_CATEGORIES].
        rows: which rows of the table were cut.
        default: guardrails with the classifier's own thresholds.
        policy: the guardrails that are measured.
        early: the policy's guardrails for text that is not finished.
        resamples: of all rows of the table.
    """
    if not scores:
        return []
    texts = [whole.rows[row] for row in rows]
    blocked = {
        part: flags(texts, cut, early if part < 1 else policy).blocked
        for part, cut in scores.items()
    }
    everything: dict[float | None, tuple[Floats, Bools]] = {
        part: (cut, blocked[part]) for part, cut in scores.items()
    }
    everything[None] = (
        np.maximum.reduce(list(scores.values())),
        np.logical_or.reduce(list(blocked.values())),
    )
    return [
        _part(
            part,
            _only(whole, rows, cut, default=default, policy=policy),
            rows,
            _spread(stopped, rows, len(whole.rows)),
            resamples,
        )
        for part, (cut, stopped) in everything.items()
    ]


def _only(whole: Table, rows: Indexes, scores: Floats, *, default: Guards, policy: Guards) -> Table:
    """The table with other scores in some rows; the others are not to be looked at."""
    some = table([whole.rows[row] for row in rows], scores, default=default, policy=policy)
    size = len(whole.rows)
    columns = np.full((size, some.scores.shape[1]), np.nan)
    columns[rows] = some.scores
    return replace(
        whole,
        scores=columns,
        default=replace(
            whole.default,
            violated=_spread(some.default.violated, rows, size),
        ),
        policy=replace(whole.policy, blocked=_spread(some.policy.blocked, rows, size)),
    )


def _spread(values: Bools, rows: Indexes, size: int) -> Bools:
    spread = np.zeros((size, *values.shape[1:]), dtype=np.bool_)
    spread[rows] = values
    return spread


def _part(
    part: float | None, seen: Table, rows: Indexes, early: Bools, resamples: Resamples
) -> PartialFigures:
    benign = rows[seen.benign[rows]]
    harmful = rows[(seen.labels[rows] == 1).any(axis=1)]
    return PartialFigures(
        share=part,
        rows=len(rows),
        macro=macro(seen, rows, resamples),
        average_precision=average_precisions(seen, rows),
        found=found(seen, rows)[1],
        blocked_harmful=share(early, harmful),
        blocked_harmful_at_final=share(seen.policy.blocked, harmful),
        benign=len(benign),
        blocked_benign=share(early, benign),
        blocked_benign_at_final=share(seen.policy.blocked, benign),
    )


@dataclass(frozen=True, slots=True)
class Conversations:
    """What is judged to see what a conversation changes.

    `rows` are indexes of rows with a context, `alone` their texts without it, `before` all turns
    before them, `turns` how many of those belong to each row.
    """

    rows: Indexes
    alone: tuple[Passage, ...]
    before: tuple[Passage, ...]
    turns: tuple[int, ...]


def conversations(rows: Sequence[LabelledText], context_characters: int) -> Conversations:
    """What of the rows with a conversation must be judged besides the rows themselves."""
    chosen = [index for index, row in enumerate(rows) if row.context]
    return Conversations(
        rows=np.array(chosen, dtype=np.intp),
        alone=tuple(Passage(rows[index].text) for index in chosen),
        before=tuple(
            each
            for index in chosen
            for each in passages_of(rows[index].context, context_characters)
        ),
        turns=tuple(len(rows[index].context) for index in chosen),
    )


def context(
    whole: Table,
    talk: Conversations,
    *,
    alone: Floats,
    before: Floats,
    default: Guards,
    reads_context: bool,
) -> ContextFigures | None:
    """What the conversation before a text changes; None if no row has one.

    Args:
        whole: the table of all rows, judged with their conversation.
        talk: from `conversations`.
        alone: scores [len(talk.rows), V2_CATEGORIES] of the texts without it.
        before: scores [len(talk.before), V2_CATEGORIES] of the turns before.
        default: guardrails with the classifier's own thresholds.
        reads_context: whether the classifier looks at it at all.
    """
    if not len(talk.rows):
        return None
    size = len(whole.rows)
    texts = [whole.rows[row] for row in talk.rows]
    harmful = np.asarray((whole.labels == 1).any(axis=1))
    right = whole.default.found_something == harmful
    flagged_alone = _spread(flags(texts, alone, default).found_something, talk.rows, size)
    right_alone = flagged_alone == harmful
    misleading = talk.rows[~right_alone[talk.rows]]
    pairs = _pairs(whole, talk.rows, harmful)
    dirty = talk.rows[_after_violation(texts, talk.turns, before, default)]
    clean_after = dirty[whole.benign[dirty]]
    return ContextFigures(
        rows=len(talk.rows),
        reads_context=reads_context,
        right=share(right, talk.rows),
        right_without=share(right_alone, talk.rows),
        misleading=len(misleading),
        misleading_right=share(right, misleading),
        pairs=len(pairs),
        pairs_right=_both(right, pairs),
        pairs_right_without=_both(right_alone, pairs),
        after_violation=len(clean_after),
        after_violation_blocked=share(whole.policy.blocked, clean_after),
    )


def _after_violation(
    texts: Sequence[LabelledText], turns: Sequence[int], before: Floats, default: Guards
) -> Bools:
    """Whether a turn before is itself flagged, for each text."""
    said = [turn for text in texts for turn in text.context]
    rows = [LabelledText(turn.text, {}, "", turn.role.value, "", "", "") for turn in said]
    flagged = flags(rows, before, default).found_something
    ends = np.cumsum(turns)
    return np.array(
        [flagged[end - count : end].any() for end, count in zip(ends, turns, strict=True)],
        dtype=np.bool_,
    )


def _pairs(whole: Table, rows: Iterable[int], harmful: Bools) -> list[tuple[int, ...]]:
    """Rows that belong together and differ in what is right: named a pair, or of one text."""
    together: dict[tuple[str, str, str], list[int]] = {}
    for index in rows:
        row = whole.rows[index]
        key = (row.source, row.lang, row.pair if row.pair is not None else f"text {row.text}")
        together.setdefault(key, []).append(int(index))
    return [
        tuple(members)
        for members in together.values()
        if len({bool(harmful[index]) for index in members}) == 2
    ]


def _both(right: Bools, pairs: Sequence[tuple[int, ...]]) -> Estimate:
    """Share of the pairs of which every row is right."""
    both = np.array([right[list(pair)].all() for pair in pairs], dtype=np.bool_)
    return share(both, np.arange(len(pairs)))
