"""Runs on a few threads for many callers: whose turn it is, who shares, who has left.

    run_all(jobs) -> [join a run in flight | wait in line] -> a thread runs it -> the future is done

No task, and no lock here: everything but the runs themselves happens on the event loop. A run lives
as long as somebody waits for it. When the last one leaves, because of a deadline or a disconnect, a
waiting run is dropped, and a running one is told to stop and its thread replaced at once, so that a
hung run costs a thread, not a place. Nor does it hold up others until then: while somebody waits,
a run that has taken far longer than it should is given a thread besides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from guardproxy.classifiers.lanes import Failed, Lanes, Returned, Run, attempt
from guardproxy.classifiers.observer import NoObserver, Observer
from guardproxy.classifiers.waiting_line import Place, due
from guardproxy.errors import ClassifierError

R = TypeVar("R")

_REMEMBERED: Final = 0.95
"""Of the pace so far, after one more run: the last twenty or so count."""

_FAR_LONGER: Final = 10
"""Times what a run should take: beyond, it is late, and others need not wait for it."""

_NEVER_LATE: Final = 0.05
"""Seconds in which no run is late: a busy machine takes a thread off its core for longer than a
short run lasts."""

_LOOK_EVERY: Final = 0.01
"""Seconds between two looks for runs that are late, while somebody waits."""

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

    place: Place[_Flight[R]]

    def __init__(self, job: Job[R], future: asyncio.Future[R]) -> None:
        self.job = job
        self.future = future
        self.waiters = 0


class _Pace:
    """How long runs take for what they cost."""

    def __init__(self) -> None:
        self._seconds = self._cost = 0.0

    def ran(self, seconds: float, cost: int) -> None:
        """One that was late counts as just late: alone it says little, many of them will tell."""
        counted = min(seconds, self.patience(cost))
        self._seconds = self._seconds * _REMEMBERED + counted
        self._cost = self._cost * _REMEMBERED + cost

    def patience(self, cost: int) -> float:
        """Seconds after which a run is late."""
        return max(_NEVER_LATE, _FAR_LONGER * self.seconds_per_cost * cost)

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
        self._lanes: Lanes[_Flight[R]] = Lanes(self._run, name="guardproxy-classifier")
        self._flights: dict[bytes, _Flight[R]] = {}
        self._abandoned: set[_Flight[R]] = set()
        self._pace = _Pace()
        self._look: asyncio.TimerHandle | None = None
        self._lent = 0
        self._open = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._lanes.want(self._threads)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Who still waits gets a `ClassifierError`; running runs are stopped, threads ended."""
        self._open = False
        if self._look is not None:
            self._look.cancel()
        for flight in self._flights.values():
            flight.job.run.stop()
            _fail(flight, ClassifierError("the classifier is closing"))
        self._flights.clear()
        await asyncio.to_thread(self._lanes.close, _JOIN_SECONDS)

    @property
    def expected_wait(self) -> float:
        """Seconds until it is the turn of a short run that joins now, at the pace of late."""
        if not len(self._lanes):
            return 0.0
        before = self._lanes.cost_before(self._loop.time())
        return before * self._pace.seconds_per_cost / self._threads

    async def run_all(self, jobs: Sequence[Job[R]]) -> list[R]:
        """Results in the order of the jobs.

        Raises:
            ClassifierError: a run failed, or there is no thread left to run it.
        """
        if not jobs:
            return []
        if not (self._open and self._lanes.threads):
            raise ClassifierError(
                "every thread hangs" if self._open else "the classifier is closed"
            )
        flights = self._board(jobs)
        self._observer.queued(len(self._lanes))
        if self._look is None:
            self._look = self._loop.call_later(_LOOK_EVERY, self._lend)
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
                flight = _Flight(job, self._loop.create_future())
                flight.place = self._lanes.join(flight, due(now, spent), job.cost)
                self._flights[job.key] = flight
            flight.waiters += 1
            flights.append(flight)
        return flights

    def _leave(self, flight: _Flight[R]) -> None:
        flight.waiters -= 1
        if flight.waiters or flight.future.done():
            return
        del self._flights[flight.job.key]
        if self._lanes.leave(flight.place):
            flight.job.run.stop()
            self._abandoned.add(flight)
            self._observer.abandoned(len(self._abandoned))

    def _lend(self) -> None:
        """Gives the line a thread for each that is late, and as many besides.

        What waits behind runs that hang may be more of them, so each look that finds some doubles
        the threads. The first run that ends, late or not, shows that they do end: it ends the loan.
        """
        self._look = None
        if not len(self._lanes):
            return
        self._lent += self._lanes.lose_late(lambda flight: self._pace.patience(flight.job.cost))
        self._lanes.want(self._threads + self._lent)
        self._look = self._loop.call_later(_LOOK_EVERY, self._lend)

    def _run(self, flight: _Flight[R]) -> None:
        """In a lane's thread."""
        outcome = attempt(flight.job.run)
        # A run that ends after the loop has closed has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._landed, flight, outcome)

    def _landed(self, flight: _Flight[R], outcome: Returned[R] | Failed) -> None:
        if not self._open:
            return
        if flight in self._abandoned:
            self._abandoned.discard(flight)
            self._observer.abandoned(len(self._abandoned))
        elif self._flights.get(flight.job.key) is flight:
            del self._flights[flight.job.key]
            self._settle(flight, outcome)
            self._pace.ran(outcome.seconds, flight.job.cost)
            self._observer.ran(outcome.seconds, flight.job.cost)
        # Else its last caller left while the news of its end was under way.
        if self._lent:
            self._lent = 0
            self._lanes.want(self._threads)
        self._observer.queued(len(self._lanes))

    def _settle(self, flight: _Flight[R], outcome: Returned[R] | Failed) -> None:
        if isinstance(outcome, Returned):
            flight.future.set_result(outcome.result)
            if self._keep is not None:
                self._keep(flight.job.key, outcome.result)
        else:
            _fail(flight, _as_ours(outcome.error))


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
