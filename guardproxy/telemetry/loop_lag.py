"""How late the event loop is: by so much everything else waits while one thing keeps it busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Histogram

EVERY_SECONDS = 0.05
"""Between two looks. What blocks for longer is always seen, what is shorter by its share of it:
5 ms in one look of ten, which is often enough to find whatever does it often. Looking each 20 ms
kept a process that has nothing to do at 1.3 % of a core; this is 0.8 %."""
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_LOOKS_A_FLUSH = 20


class LoopLag:
    """A histogram of the event loop's lag.

    Args:
        registry: where it is shown.
        every: seconds between two looks.
    """

    def __init__(self, registry: CollectorRegistry, *, every: float = EVERY_SECONDS) -> None:
        self._every = every
        self._seconds = Histogram(
            "guardproxy_loop_lag_seconds",
            "How late the event loop comes to a timer that looks at it all the time.",
            buckets=LAG_SECONDS,
            registry=registry,
        )

    @asynccontextmanager
    async def measured(self, now_and_then: Callable[[], None]) -> AsyncIterator[None]:
        """Looks for the time of a block; about once a second it also does something else."""
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look(now_and_then))
            try:
                yield
            finally:
                looking.cancel()

    async def _look(self, now_and_then: Callable[[], None]) -> None:
        looks = 0
        while True:
            # Not the loop's own clock, which stands still while a callback runs.
            due = time.monotonic() + self._every
            await asyncio.sleep(self._every)
            self._seconds.observe(max(0.0, time.monotonic() - due))
            looks += 1
            if looks % _LOOKS_A_FLUSH == 0:
                now_and_then()
