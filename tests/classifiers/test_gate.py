"""Places are bounded, time is bounded, and both come free again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from guardproxy.classifiers.gate import Gate
from guardproxy.errors import ClassifierDeadline, ClassifierError, ClassifierOverloaded


async def test_one_more_than_the_places_is_refused_at_once() -> None:
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


async def test_an_error_inside_passes_and_frees_the_place() -> None:
    gate = Gate(places=1, seconds=60)
    for _ in range(2):
        with pytest.raises(ClassifierError, match="inside"):
            async with gate.judgement():
                raise ClassifierError("inside")


async def test_a_cancelled_judgement_frees_the_place() -> None:
    gate = Gate(places=1, seconds=60)

    async def judge() -> None:
        async with gate.judgement():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(judge(), 0.01)

    async with gate.judgement():
        pass
