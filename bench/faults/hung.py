"""Runs of the model that never end, and how long the next judgement waits behind them."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

from guardproxy.classifiers.gate import Gate
from guardproxy.classifiers.scheduler import Scheduler
from guardproxy.errors import ClassifierError
from guardproxy.settings import Settings
from tests.classifiers.runs import FakeRun, job

THREADS = 2


@dataclass(frozen=True, slots=True)
class Hung:
    """Milliseconds until the next judgement is made; None if it is not, within its time."""

    runs: int
    seconds: float
    at_once: float | None
    meanwhile: float | None
    after: float | None


def measure(runs: int) -> Hung:
    """So many runs that cannot be stopped; the next comes with them, soon, or later."""
    seconds = Settings.model_fields["classifier_timeout"].default
    return Hung(
        runs=runs,
        seconds=seconds,
        at_once=asyncio.run(_next(runs, seconds, pause=0)),
        meanwhile=asyncio.run(_next(runs, seconds, pause=0.25 * seconds)),
        after=asyncio.run(_next(runs, seconds, pause=1.5 * seconds)),
    )


async def _next(runs: int, seconds: float, pause: float) -> float | None:
    release = threading.Event()
    async with Scheduler[object](THREADS) as scheduler:
        gate = Gate(places=2 * runs, seconds=seconds)

        async def judge(name: str, run: FakeRun) -> float | None:
            began = time.perf_counter()
            try:
                async with gate.judgement():
                    await scheduler.run_all([job(name, run)])
            except ClassifierError:
                return None
            return 1000 * (time.perf_counter() - began)

        async with asyncio.TaskGroup() as tasks:
            for number in range(runs):
                tasks.create_task(judge(str(number), FakeRun(until=release, deaf=True)))
            await asyncio.sleep(pause)
            waited = await judge("next", FakeRun())
        release.set()
    return waited
