"""Runs on a few threads for many callers: whose turn, who shares, who has left.

    run_all(jobs) -> [join a run in flight | wait in line] -> a lane runs it -> the future is done

No task and no lock: everything but the runs themselves happens on the event loop. A run lives as
long as somebody waits for it. When the last one leaves, because of a deadline or a disconnect, a
waiting run is dropped, and a running one is told to stop and its lane replaced at once, so that a
hung run costs a thread, not a place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from guardproxy.classifiers.lanes import Failed, Lane, Returned, Run
from guardproxy.classifiers.observer import NoObserver, Observer
from guardproxy.classifiers.waiting_line import WaitingLine, due
from guardproxy.errors import ClassifierError

R = TypeVar("R")

MOST_ABANDONED: Final = 64
"""Threads given up and still busy; beyond, lanes are not replaced: it will not get better."""

_REMEMBERED: Final = 0.95
"""Of the pace so far, after one more run: the last twenty or so count."""

_JOIN_SECONDS: Final = 1.0
"""Longest wait, per thread, for runs that were told to stop at closing."""


@dataclass(frozen=True, slots=True)
class Job(Generic[R]):
    """One run somebody wants. Equal keys are the same computation; `cost` is about tokens."""

    key: bytes
    cost: int
    run: Run[R]


class _Flight(Generic[R]):
    """A run between the first who asked for it and its end."""

    def __init__(
        self, job: Job[R], due: float, line: WaitingLine[_Flight[R]], future: asyncio.Future[R]
    ) -> None:
        self.job = job
        self.future = future
        self.waiters = 0
        self.place = line.join(self, due, job.cost)
        self.lane: Lane | None = None


class _Pace:
    """How long runs take for what they cost. One that hung and was given up is no measure."""

    def __init__(self) -> None:
        self._seconds = self._cost = 0.0

    def ran(self, seconds: float, cost: int) -> None:
        self._seconds = self._seconds * _REMEMBERED + seconds
        self._cost = self._cost * _REMEMBERED + cost

    @property
    def seconds_per_cost(self) -> float:
        return self._seconds / self._cost if self._cost else 0.0


class Scheduler(Generic[R]):
    """Runs jobs on `threads` lanes; open it with `async with`, in the loop that will use it.

    `keep` gets every result as soon as it is there, also when its caller goes on to fail for
    another reason: who asks again after a deadline then pays for the rest only.
    """

    def __init__(
        self,
        threads: int,
        *,
        keep: Callable[[bytes, R], None] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._threads = threads
        self._keep = keep
        self._observer = observer if observer is not None else NoObserver()
        self._line: WaitingLine[_Flight[R]] = WaitingLine()
        self._flights: dict[bytes, _Flight[R]] = {}
        self._lanes: set[Lane] = set()
        self._idle: list[Lane] = []
        self._abandoned: set[Lane] = set()
        self._pace = _Pace()
        self._open = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._fill_lanes()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Who still waits gets a `ClassifierError`; running runs are stopped, threads ended."""
        self._open = False
        for flight in self._flights.values():
            if flight.lane is not None:
                flight.job.run.stop()
            _fail(flight, ClassifierError("the classifier is closing"))
        self._flights.clear()
        lanes = self._lanes | self._abandoned
        for lane in lanes:
            lane.close()
        await asyncio.to_thread(_join, lanes)

    @property
    def expected_wait(self) -> float:
        """Seconds until it is the turn of a short run that joins now, at the pace of late."""
        if not len(self._line):
            return 0.0
        before = self._line.cost_before(self._loop.time())
        return before * self._pace.seconds_per_cost / self._threads

    async def run_all(self, jobs: Sequence[Job[R]]) -> list[R]:
        """Results in the order of the jobs.

        Raises:
            ClassifierError: a run failed, or there is no thread left to run it.
        """
        if not jobs:
            return []
        if not (self._open and self._lanes):
            raise ClassifierError(
                "every thread hangs" if self._open else "the classifier is closed"
            )
        flights = self._board(jobs)
        self._dispatch()
        try:
            futures = {flight.future for flight in flights}
            await asyncio.wait(futures, return_when=asyncio.FIRST_EXCEPTION)
            _raise_first_error(flights)
            return [flight.future.result() for flight in flights]
        finally:
            for flight in flights:
                self._leave(flight)

    def _board(self, jobs: Sequence[Job[R]]) -> list[_Flight[R]]:
        now = self._loop.time()
        spent = 0
        flights = []
        for job in jobs:
            flight = self._flights.get(job.key)
            if flight is None:
                spent += job.cost
                future: asyncio.Future[R] = self._loop.create_future()
                flight = _Flight(job, due(now, spent), self._line, future)
                self._flights[job.key] = flight
            flight.waiters += 1
            flights.append(flight)
        return flights

    def _leave(self, flight: _Flight[R]) -> None:
        flight.waiters -= 1
        if flight.waiters or flight.future.done():
            return
        del self._flights[flight.job.key]
        if flight.lane is not None:
            flight.job.run.stop()
            self._abandon(flight.lane)
        else:
            self._line.leave(flight.place)

    def _dispatch(self) -> None:
        while self._idle and len(self._line):
            flight, lane = self._line.take(), self._idle.pop()
            flight.lane = lane
            lane.start(flight.job.run, partial(self._report, flight, lane))
        self._observer.queued(len(self._line))

    def _report(self, flight: _Flight[R], lane: Lane, outcome: Returned[R] | Failed) -> None:
        """Called in the lane's thread."""
        # A run that ends after the loop has closed has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._landed, flight, lane, outcome)

    def _landed(self, flight: _Flight[R], lane: Lane, outcome: Returned[R] | Failed) -> None:
        if not self._open:
            return
        if lane in self._abandoned:
            self._abandoned.discard(lane)
            self._observer.abandoned(len(self._abandoned))
            self._fill_lanes()
        else:
            self._idle.append(lane)
            del self._flights[flight.job.key]
            self._settle(flight, outcome)
            self._pace.ran(outcome.seconds, flight.job.cost)
            self._observer.ran(outcome.seconds, flight.job.cost)
        self._dispatch()

    def _settle(self, flight: _Flight[R], outcome: Returned[R] | Failed) -> None:
        if isinstance(outcome, Returned):
            flight.future.set_result(outcome.result)
            if self._keep is not None:
                self._keep(flight.job.key, outcome.result)
        else:
            _fail(flight, _as_ours(outcome.error))

    def _abandon(self, lane: Lane) -> None:
        lane.close()
        self._lanes.discard(lane)
        self._abandoned.add(lane)
        self._observer.abandoned(len(self._abandoned))
        self._fill_lanes()
        self._dispatch()

    def _fill_lanes(self) -> None:
        while len(self._lanes) < self._threads and len(self._abandoned) < MOST_ABANDONED:
            lane = Lane("guardproxy-classifier")
            self._lanes.add(lane)
            self._idle.append(lane)


def run_here(run: Run[R]) -> R:
    """Runs it on the spot, and fails as a scheduled run does.

    Raises:
        ClassifierError: whatever it raised.
    """
    try:
        return run()
    except Exception as error:
        raise _as_ours(error) from error


def _as_ours(error: BaseException) -> ClassifierError:
    if isinstance(error, ClassifierError):
        return error
    # The name only: what a library says may quote the text.
    return ClassifierError(f"a run failed: {type(error).__name__}")


def _fail(flight: _Flight[R], error: ClassifierError) -> None:
    flight.future.set_exception(error)
    flight.future.exception()  # seen: nobody may be left to look, and asyncio would complain


def _raise_first_error(flights: Iterable[_Flight[R]]) -> None:
    for flight in flights:
        if flight.future.done() and (error := flight.future.exception()) is not None:
            # A new error for each who waits: one object raised by many gathers their tracebacks.
            raise ClassifierError(str(error)) from error


def _join(lanes: Iterable[Lane]) -> None:
    for lane in lanes:
        lane.join(_JOIN_SECONDS)
