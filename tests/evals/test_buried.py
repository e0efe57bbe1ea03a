"""Harmful texts are put among harmless ones of their language, and found there or not."""

from __future__ import annotations

import numpy as np

from guardproxy.evals.buried import FEWEST_AROUND, MOST, bury, found_buried
from tests.evals.samples import BLOCKING, guards, row, scores_of, table_of, turns

HARM = {"violence_and_threats": 1, "benign": 0}
PIECES = [row(f"Harmless sentence number {n}, about gardens.") for n in range(FEWEST_AROUND)]


def test_a_text_stands_whole_in_the_middle_of_harmless_ones() -> None:
    rows = [*PIECES, row("a threat", HARM)]

    burial = bury(rows, seed=3)

    assert burial.rows.tolist() == [len(PIECES)]
    before, _, after = burial.buried[0].text.partition("\na threat\n")
    assert burial.around[0].text == f"{before}\n{after}"
    assert 900 < len(before) < 1_200 > len(after) > 900
    assert burial.buried[0].text == bury(rows, seed=3).buried[0].text
    assert burial.buried[0].text != bury(rows, seed=4).buried[0].text


def test_scripts_with_more_in_a_character_get_fewer_of_them() -> None:
    pieces = [row(f"今天天气很好,我们去公园散步吧 {n}", lang="zh") for n in range(FEWEST_AROUND)]

    burial = bury([*pieces, row("x", HARM, lang="zh")], seed=0)

    assert 800 <= len(burial.around[0].text) < 900


def test_only_short_harmful_texts_without_turns_are_buried() -> None:
    rows = [
        *PIECES,
        row("x" * 201, HARM),
        row("y", HARM, context=turns("before")),
        row("z", {"law": 1, "benign": 0}),
        row("of a language without harmless texts", HARM, lang="fr"),
    ]

    assert bury(rows, seed=0).buried == ()
    assert len(bury([*PIECES, *(row(f"bad {n}", HARM) for n in range(99))], 0).rows) == MOST


def test_of_those_blocked_alone_it_counts_those_blocked_there() -> None:
    rows = [*PIECES, *(row(f"bad {n}", HARM) for n in range(4))]
    bad = {"violence_and_threats": 0.9}
    good: dict[str, float] = {}
    seen = table_of(rows, scores_of(*[good] * len(PIECES), bad, bad, bad, good), BLOCKING)

    figures = found_buried(
        seen,
        bury(rows, seed=0),
        buried=scores_of(bad, good, good, bad),
        around=scores_of(good, good, good, bad),
        policy=BLOCKING,
    )

    assert figures is not None
    assert figures.texts == 4
    assert figures.blocked_alone.value == 0.75
    assert figures.blocked_buried.value == 1 / 3
    assert figures.around_blocked.value == 0.25


def test_where_nothing_is_blocked_alone_there_is_nothing_to_say() -> None:
    seen = table_of(PIECES, scores_of(*[{}] * len(PIECES)))
    nothing = scores_of({})[:0]

    burial = bury(PIECES, seed=0)

    assert burial.rows.dtype == np.intp
    assert found_buried(seen, burial, buried=nothing, around=nothing, policy=guards()) is None
