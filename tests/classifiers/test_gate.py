"""Places are bounded, time is bounded, and both come free again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from guardproxy.classifiers.gate import Gate
from guardproxy.errors import ClassifierDeadline, ClassifierError, ClassifierOverloaded


async def test_one_more_than_the_places_is_refused_at_once_x9() -> None:
    gate = Gate(places=2, seconds=60)
    async with AsyncExitStack() as inside:
        await inside.enter_async_context(gate.judgement())
        await inside.enter_async_context(gate.judgement())

        with pytest.raises(ClassifierOverloaded, match="2 judgements"):
            async with gate.judgement():
                pytest.fail("there was no place")

    async with gate.judgement():
        pass


async def test_who_takes_too_long_is_sent_away_and_frees_the_place() -> None:
    gate = Gate(places=1, seconds=0.01)
    for _ in range(3):
        with pytest.raises(ClassifierDeadline, match=r"0\.01 s"):
            async with gate.judgement():
                await asyncio.Event().wait()


async def test_who_would_not_get_his_turn_in_time_is_refused_at_once() -> None:
    gate = Gate(places=2, seconds=2)

    with pytest.raises(ClassifierOverloaded, match="after more than 2 s"):
        async with gate.judgement(expected_wait=2.0):
            pytest.fail("it would be too late")

    async with gate.judgement(expected_wait=1.9):
        pass


async def test_new_callers_are_one_too_many_before_those_inside_are() -> None:
    gate = Gate(places=4, seconds=2)

    assert not gate.is_crowded(expected_wait=0.5)
    assert gate.is_crowded(expected_wait=0.6)
    async with AsyncExitStack() as inside:
        for crowded in (False, False, True):
            await inside.enter_async_context(gate.judgement())
            assert gate.is_crowded(expected_wait=0.0) is crowded
    assert not gate.is_crowded(expected_wait=0.0)


async def test_an_error_inside_passes_and_frees_the_place() -> None:
    gate = Gate(places=1, seconds=60)
    for _ in range(2):
        with pytest.raises(ClassifierError, match="inside"):
            async with gate.judgement():
                raise ClassifierError("inside")


async def test_a_cancelled_judgement_frees_the_place_x7() -> None:
    gate = Gate(places=1, seconds=60)

    async def judge() -> None:
        async with gate.judgement():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(judge(), 0.01)

    async with gate.judgement():
        pass
