"""The loop's lag is seen, and looking at it costs next to nothing."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from guardproxy.telemetry.loop_lag import LAG_SECONDS, LoopLag


def lag(registry: CollectorRegistry, what: str, **labels: str) -> float:
    return registry.get_sample_value(f"guardproxy_loop_lag_seconds_{what}", labels) or 0.0


async def test_what_keeps_the_loop_busy_is_seen() -> None:
    registry = CollectorRegistry()
    async with LoopLag(registry, every=0.001).measured(lambda: None):
        await asyncio.sleep(0.01)
        time.sleep(0.3)  # noqa: ASYNC251 - the fault that is to be seen
        await asyncio.sleep(0.01)

    longer = lag(registry, "count") - lag(registry, "bucket", le="0.25")
    assert longer >= 1  # a machine that stalls keeps it busy as well
    assert lag(registry, "sum") > 0.25


async def test_something_else_is_done_now_and_then() -> None:
    done = asyncio.Event()
    async with LoopLag(CollectorRegistry(), every=0.0001).measured(done.set):
        await done.wait()


async def test_looking_ends_with_its_block() -> None:
    registry = CollectorRegistry()
    async with LoopLag(registry, every=0.001).measured(lambda: None):
        pass
    looks = lag(registry, "count")
    await asyncio.sleep(0.02)

    assert lag(registry, "count") == looks


def test_five_milliseconds_are_a_bound_of_the_histogram() -> None:
    assert 0.005 in LAG_SECONDS
