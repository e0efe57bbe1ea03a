"""A bounded number of requests are in progress; one more is told so before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive

from guardproxy.errors import OverloadedError
from guardproxy.proxy.admission import Admission, Turns
from tests.asgi import GONE, WHOLE, Caller, body_messages


class House:
    """An admission, and what it told."""

    def __init__(self, requests: int = 1) -> None:
        self.crowded = False
        self.told: list[int] = []
        self.admission = Admission(
            requests, crowded=lambda: self.crowded, on_change=self.told.append
        )

    @contextmanager
    def visit(self, caller: Caller) -> Iterator[Receive]:
        with self.admission.of(caller.receive) as place:
            yield place.receive


async def test_a_request_is_in_progress_from_its_bodys_end_to_its_own() -> None:
    house = House()
    first, last = body_messages(b"a", b"b")
    with house.visit(Caller(first, last, GONE)) as receive:
        assert await receive() == first
        assert house.admission.in_progress == 0
        assert await receive() == last
        assert house.admission.in_progress == 1
        assert await receive() == GONE
        assert house.admission.in_progress == 1

    assert house.admission.in_progress == 0
    assert house.told == [1, 0]


async def test_one_more_than_the_bound_is_refused_unread() -> None:
    house = House()
    late = Caller(WHOLE)
    with house.visit(Caller(WHOLE)) as receive:
        await receive()
        with house.visit(late) as refused, pytest.raises(OverloadedError, match="too many"):
            await refused()
        assert house.admission.in_progress == 1

    assert late.waiting == [WHOLE]
    with house.visit(late) as receive:
        assert await receive() == WHOLE


async def test_bodies_that_are_still_coming_take_no_place_x15() -> None:
    house = House()
    slow = [Caller(body_messages(b"a", b"b")[0]) for _ in range(300)]
    with ExitStack() as open_bodies:
        for caller in slow:
            await open_bodies.enter_context(house.visit(caller))()
        with house.visit(Caller(WHOLE)) as receive:
            assert await receive() == WHOLE


async def test_the_last_place_may_be_taken_while_a_body_comes() -> None:
    house = House()
    with house.visit(Caller(*body_messages(b"a", b"b"))) as slow:
        await slow()
        with house.visit(Caller(WHOLE)) as quick:
            await quick()
            with pytest.raises(OverloadedError):
                await slow()

    assert house.admission.in_progress == 0


async def test_a_crowd_at_the_judge_keeps_newcomers_out_and_leaves_those_inside_alone() -> None:
    house = House(requests=10)
    inside = Caller(WHOLE, GONE)
    with house.visit(inside) as receive:
        await receive()
        house.crowded = True
        with house.visit(Caller(WHOLE)) as refused, pytest.raises(OverloadedError, match="wait"):
            await refused()
        assert await receive() == GONE


async def test_who_leaves_before_his_body_is_whole_was_never_inside() -> None:
    house = House()
    with house.visit(Caller(GONE)) as receive:
        assert await receive() == GONE

    assert house.told == []


@given(st.lists(st.sampled_from(["come", "go"]), max_size=60))
async def test_the_bound_is_never_passed_and_every_place_comes_back(steps: list[str]) -> None:
    house = House(requests=3)
    inside: list[ExitStack] = []
    for step in steps:
        if step == "go" and inside:
            inside.pop().close()
        elif step == "come":
            visit = ExitStack()
            receive = visit.enter_context(house.visit(Caller(WHOLE)))
            try:
                await receive()
                inside.append(visit)
            except OverloadedError:
                visit.close()
                assert len(inside) == 3
        assert house.admission.in_progress == len(inside) <= 3
    for visit in inside:
        visit.close()

    assert house.admission.in_progress == 0


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=80))
def test_refusals_leave_at_a_bounded_rate_in_their_order(gaps: list[float]) -> None:
    turns = Turns(100, longest=1000.0)
    now, leaves = 0.0, []
    for gap in gaps:
        now += gap
        leaves.append(now + turns.take(now))

    assert all(later - sooner >= 0.01 - 1e-9 for sooner, later in pairwise(leaves))


@given(st.integers(1, 2_000))
def test_no_refusal_is_held_for_longer_than_the_bound(callers: int) -> None:
    turns = Turns(100, longest=1.0)

    waits = [turns.take(5.0) for _ in range(callers)]

    assert waits[0] == 0.0
    assert max(waits) <= 1.0


async def test_who_waits_for_his_refusal_comes_in_when_the_crowd_has_gone() -> None:
    crowded = iter([True, True, True, False, False])
    admission = Admission(10, crowded=lambda: next(crowded), on_change=lambda _: None)
    with admission.of(Caller(WHOLE).receive) as refused, pytest.raises(OverloadedError):
        await refused.receive()  # takes the turn that has no wait

    with admission.of(Caller(WHOLE).receive) as held:
        assert await held.receive() == WHOLE
        assert admission.in_progress == 1
