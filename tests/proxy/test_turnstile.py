"""Fast streams leave everybody else his turn, and each other theirs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from guardproxy.proxy.turnstile import BYTES_A_TURN, Turnstile


class Loop:
    """Counts turns of the event loop while its block lasts."""

    def __init__(self) -> None:
        self.turns = 0

    async def count(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.turns += 1


async def passages(sizes: list[int], *, each: int = 1) -> list[list[int]]:
    """In which turns each of the streams, with chunks of its size, read one after the other."""
    turnstile, loop = Turnstile(), Loop()

    async def stream(size: int) -> list[int]:
        turns = []
        for _ in range(each):
            await turnstile.passage(size)
            turns.append(loop.turns)
        return turns

    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(loop.count())
        streams = [tasks.create_task(stream(size)) for size in sizes]
        await asyncio.wait(streams)
        counting.cancel()
    return [task.result() for task in streams]


async def test_who_is_alone_reads_at_once_and_then_once_a_turn() -> None:
    (turns,) = await passages([1], each=5)

    assert turns[0] == 0
    assert turns == sorted(set(turns))


async def test_many_large_chunks_pass_one_a_turn_in_the_order_they_came() -> None:
    turns = [first for (first,) in await passages([BYTES_A_TURN] * 40)]

    assert turns == sorted(set(turns))


async def test_small_chunks_share_a_turn() -> None:
    turns = [first for (first,) in await passages([BYTES_A_TURN // 10] * 101)]

    assert max(turns) - min(turns) <= 12


async def test_a_stream_waits_for_one_chunk_of_each_other() -> None:
    streams = await passages([BYTES_A_TURN] * 10, each=10)

    # But for the first, who comes to an empty turnstile.
    _, *others = streams
    for number in range(1, 10):
        assert max(turns[number - 1] for turns in others) < min(turns[number] for turns in others)


async def test_who_leaves_takes_no_turn() -> None:
    turnstile = Turnstile()
    await turnstile.passage(1)
    async with asyncio.TaskGroup() as tasks:
        leavers = [tasks.create_task(turnstile.passage(BYTES_A_TURN)) for _ in range(50)]
        stayer = tasks.create_task(turnstile.passage(1))
        await asyncio.sleep(0)
        for leaver in leavers:
            leaver.cancel()
        for _ in range(4):
            await asyncio.sleep(0)

        assert stayer.done()
    with suppress(asyncio.CancelledError):
        await leavers[0]
