"""Texts are put behind turns that have nothing to do with them, and judged as before or not."""

from __future__ import annotations

import pytest

from guardproxy.content import Role
from guardproxy.evals.behind import found_behind, put_behind
from guardproxy.evals.buried import FEWEST_AROUND, MOST
from guardproxy.evals.rows import LabelledText
from tests.evals.samples import BLOCKING, guards, row, scores_of, table_of, turns

HARM = {"violence_and_threats": 1, "benign": 0}
HARMLESS = [row(f"harmless {n}") for n in range(FEWEST_AROUND)]
ROWS = [*HARMLESS, row("a threat", HARM), row("another", HARM)]


def said(rows: tuple[LabelledText, ...]) -> list[list[str]]:
    """The kind of each turn before each row: `harmless`, or what it says."""
    return [[turn.text.partition(" ")[0] for turn in each.context] for each in rows]


def test_each_text_has_a_question_and_an_answer_before_it() -> None:
    talks = put_behind(ROWS, seed=1)

    assert [rows.text for rows in talks.harm] == ["a threat", "another"]
    assert talks.harmful.tolist() == [FEWEST_AROUND, FEWEST_AROUND + 1]
    assert sorted(talks.harmless.tolist()) == list(range(FEWEST_AROUND))
    assert said(talks.harm) == [["harmless", "harmless"]] * 2
    assert said(talks.clean) == [["harmless", "harmless"]] * FEWEST_AROUND
    assert {one for one, _ in said(talks.after)} == {"a", "another"}
    assert {other for _, other in said(talks.after)} == {"harmless"}
    roles = {tuple(turn.role for turn in each.context) for each in (*talks.harm, *talks.after)}
    assert roles == {(Role.USER, Role.ASSISTANT)}
    for each in (*talks.clean, *talks.after):
        assert each.text not in {turn.text for turn in each.context}


def test_the_same_seed_gives_the_same_talks() -> None:
    one, same, other = (put_behind(ROWS, seed).clean for seed in (1, 1, 2))

    assert one == same
    assert one != other


@pytest.mark.parametrize(
    "rows",
    [
        [*HARMLESS, row("x" * 201, HARM)],
        [*HARMLESS, row("y", HARM, context=turns("before"))],
        [*HARMLESS, row("z", {"law": 1, "benign": 0})],
        [*HARMLESS, row("of a language without harmless texts", HARM, lang="fr")],
        [*HARMLESS[1:], HARMLESS[1], row("too few texts that differ", HARM)],
    ],
)
def test_where_a_kind_is_missing_there_is_nothing_to_say(rows: list[LabelledText]) -> None:
    talks = put_behind(rows, seed=0)
    nothing = scores_of({})[:0]

    assert (talks.harm, talks.clean, talks.after) == ((), (), ())
    figures = found_behind(
        table_of(rows, scores_of(*[{} for _ in rows])),
        talks,
        harm=nothing,
        clean=nothing,
        after=nothing,
        policy=guards(),
    )
    assert figures is None


def test_of_each_kind_there_are_so_many_at_most() -> None:
    harmless = [row(f"harmless {n}") for n in range(MOST + 9)]
    talks = put_behind([*harmless, *(row(f"bad {n}", HARM) for n in range(MOST + 9))], 0)

    assert (len(talks.harm), len(talks.clean), len(talks.after)) == (MOST, MOST, MOST)


def test_what_is_blocked_behind_turns_is_counted_beside_what_is_alone() -> None:
    rows = [*HARMLESS, *(row(f"bad {n}", HARM) for n in range(4))]
    bad: dict[str, float] = {"violence_and_threats": 0.9}
    good: dict[str, float] = {}
    seen = table_of(rows, scores_of(bad, *[good] * 9, bad, bad, bad, good), BLOCKING)

    figures = found_behind(
        seen,
        put_behind(rows, seed=0),
        harm=scores_of(bad, good, good, bad),
        clean=scores_of(*[bad] * 2, *[good] * 8),
        after=scores_of(*[bad] * 3, *[good] * 7),
        policy=BLOCKING,
    )

    assert figures is not None
    assert (figures.harmful, figures.harmless) == (4, 10)
    assert figures.blocked_alone.value == 0.75
    assert figures.blocked_behind.value == 1 / 3
    assert figures.harmless_alone.value == 0.1
    assert figures.harmless_behind.value == 0.2
    assert figures.harmless_after_harm.value == 0.3
