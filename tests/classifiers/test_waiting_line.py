"""Shortest first, and nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.waiting_line import AGEING_TOKENS_PER_SECOND, WaitingLine, due

arrivals = st.lists(
    st.tuples(st.floats(0, 100, allow_nan=False), st.integers(1, 50_000)), max_size=40
)


def test_the_shorter_of_two_goes_first() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.join("long", due(0.0, 8_000), 8_000)
    line.join("short", due(0.1, 16), 16)

    assert [line.take(), line.take()] == ["short", "long"]


def test_equals_go_in_the_order_they_came() -> None:
    line: WaitingLine[int] = WaitingLine()
    for number in range(5):
        line.join(number, 1.0, 1)

    assert [line.take() for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_long_run_is_overtaken_only_for_a_time_that_its_length_sets() -> None:
    line: WaitingLine[str] = WaitingLine()
    cost = 20_000
    line.join("long", due(0.0, cost), cost)
    line.join("too late", due(cost / AGEING_TOKENS_PER_SECOND, 1), 1)

    assert line.take() == "long"


@given(arrivals)
def test_everybody_is_taken_once_in_due_order(arrived: list[tuple[float, int]]) -> None:
    line: WaitingLine[int] = WaitingLine()
    for number, (when, cost) in enumerate(arrived):
        line.join(number, due(when, cost), cost)

    taken = [line.take() for _ in range(len(line))]

    assert sorted(taken) == list(range(len(arrived)))
    assert taken == sorted(taken, key=lambda number: (due(*arrived[number]), number))


@given(arrivals, st.sets(st.integers(0, 39)))
def test_who_left_is_not_taken(arrived: list[tuple[float, int]], leavers: set[int]) -> None:
    line: WaitingLine[int] = WaitingLine()
    places = [line.join(number, due(*one), one[1]) for number, one in enumerate(arrived)]
    gone = {number for number in leavers if number < len(places)}
    for number in gone:
        line.leave(places[number])
        line.leave(places[number])

    taken = {line.take() for _ in range(len(line))}

    assert taken == set(range(len(arrived))) - gone


def test_what_goes_before_a_newcomer_is_what_is_due_before_him() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.join("long", due(0.0, 50_000), 50_000)
    line.join("short", due(0.1, 30), 30)
    line.join("shorter", due(0.1, 20), 20)

    assert line.cost_before(0.1) == 0
    assert line.cost_before(0.2) == 50
    assert line.cost_before(5.0) == 50_050
    line.take()
    assert line.cost_before(0.2) == 30


def test_an_empty_line_gives_nobody() -> None:
    with pytest.raises(IndexError):
        WaitingLine[int]().take()
