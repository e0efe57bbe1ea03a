"""Texts behind turns that have nothing to do with them: what the turns should not change.

Harmless turns must not hide a harmful text, and no turns make a harmless one harmful.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from guardproxy.content import Role, TextPart
from guardproxy.evals.buried import FEWEST_AROUND, MOST, is_harmless, is_short_harm
from guardproxy.evals.measure import share
from guardproxy.evals.metrics import Floats, Indexes
from guardproxy.evals.report import BehindFigures
from guardproxy.evals.rows import LabelledText
from guardproxy.evals.table import Guards, Table, flags


@dataclass(frozen=True, slots=True)
class Talks:
    """Rows behind a turn of a user's and one of an assistant's.

    `harmful` and `harmless` are their indexes; `harm` are the harmful ones behind harmless turns,
    `clean` the harmless ones behind harmless turns, `after` the harmless ones behind a harmful one.
    """

    harmful: Indexes
    harmless: Indexes
    harm: tuple[LabelledText, ...]
    clean: tuple[LabelledText, ...]
    after: tuple[LabelledText, ...]


def put_behind(rows: Sequence[LabelledText], seed: int) -> Talks:
    """At most `MOST` short rows of each language and kind; the same seed gives the same."""
    chance = np.random.default_rng(seed)
    harmful: list[int] = []
    harmless: list[int] = []
    harm, clean, after = [], [], []
    for lang in sorted({row.lang for row in rows}):
        here = [index for index, row in enumerate(rows) if row.lang == lang]
        bad = [index for index in here if is_short_harm(rows[index])]
        good = [index for index in here if is_harmless(rows[index])]
        harms, texts = ([rows[index].text for index in some] for some in (bad, good))
        if len(set(texts)) < FEWEST_AROUND or not bad:
            continue
        for index in sorted(chance.permutation(bad).tolist()[:MOST]):
            harmful.append(index)
            harm.append(_behind(rows[index], texts, texts, chance))
        for index in sorted(chance.permutation(good).tolist()[:MOST]):
            others = [text for text in texts if text != rows[index].text]
            harmless.append(index)
            clean.append(_behind(rows[index], others, others, chance))
            after.append(_behind(rows[index], harms, others, chance))
    return Talks(
        np.array(harmful, dtype=np.intp),
        np.array(harmless, dtype=np.intp),
        tuple(harm),
        tuple(clean),
        tuple(after),
    )


def _behind(
    row: LabelledText, asked: Sequence[str], answers: Sequence[str], chance: np.random.Generator
) -> LabelledText:
    turns = (
        TextPart(Role.USER, _drawn(asked, chance), "messages[0].content"),
        TextPart(Role.ASSISTANT, _drawn(answers, chance), "messages[1].content"),
    )
    return replace(row, context=turns)


def _drawn(texts: Sequence[str], chance: np.random.Generator) -> str:
    return texts[int(chance.integers(len(texts)))]


def found_behind(
    whole: Table, talks: Talks, *, harm: Floats, clean: Floats, after: Floats, policy: Guards
) -> BehindFigures | None:
    """What the policy blocks behind turns, beside what it blocks alone; None if there is nothing.

    Args:
        whole: the table of the rows themselves.
        talks: from `put_behind`.
        harm: scores [len(talks.harm), V2_CATEGORIES].
        clean: the same of `talks.clean`.
        after: the same of `talks.after`.
        policy: the guardrails that are measured.
    """
    alone = np.flatnonzero(whole.policy.blocked[talks.harmful])
    if not len(alone):
        return None
    every_harm, every_clean = np.arange(len(talks.harm)), np.arange(len(talks.clean))
    return BehindFigures(
        harmful=len(every_harm),
        blocked_alone=share(whole.policy.blocked[talks.harmful], every_harm),
        blocked_behind=share(flags(talks.harm, harm, policy).blocked, alone),
        harmless=len(every_clean),
        harmless_alone=share(whole.policy.blocked[talks.harmless], every_clean),
        harmless_behind=share(flags(talks.clean, clean, policy).blocked, every_clean),
        harmless_after_harm=share(flags(talks.after, after, policy).blocked, every_clean),
    )
