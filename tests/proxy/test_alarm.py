"""A moved deadline counts; the timer behind it does not."""

from __future__ import annotations

import asyncio

import pytest

from guardproxy.proxy.alarm import Alarm


class Bell:
    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self.times = 0

    def ring(self) -> None:
        self.times += 1
        self.rung.set()


@pytest.fixture
async def bell() -> Bell:
    return Bell()


def in_a_while(seconds: float = 0.02) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_it_rings_once(bell: Bell) -> None:
    alarm = Alarm(bell.ring)
    alarm.set(in_a_while())
    await bell.rung.wait()
    await asyncio.sleep(0.05)

    assert bell.times == 1


async def test_a_moment_that_is_moved_on_is_kept_by_a_timer_that_was_early(bell: Bell) -> None:
    alarm, later = Alarm(bell.ring), in_a_while(0.1)
    alarm.set(in_a_while(0.01))
    alarm.set(later)
    await bell.rung.wait()

    assert asyncio.get_running_loop().time() >= later


async def test_a_moment_may_be_moved_nearer(bell: Bell) -> None:
    alarm = Alarm(bell.ring)
    alarm.set(in_a_while(1_000))
    alarm.set(in_a_while())
    await bell.rung.wait()

    assert bell.times == 1


async def test_what_is_cleared_does_not_ring_and_may_be_set_again(bell: Bell) -> None:
    alarm = Alarm(bell.ring)
    alarm.set(in_a_while())
    alarm.clear()
    await asyncio.sleep(0.05)
    assert bell.times == 0

    alarm.set(in_a_while())
    await bell.rung.wait()


async def test_what_is_closed_leaves_no_timer(bell: Bell) -> None:
    alarm = Alarm(bell.ring)
    alarm.close()
    alarm.set(in_a_while())
    alarm.close()
    await asyncio.sleep(0.05)

    assert bell.times == 0
    assert alarm._timer is None
