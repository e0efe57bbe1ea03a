"""Threads that take runs from one waiting line, and can be given up when a run does not return."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Condition, Thread, current_thread
from typing import Final, Generic, Protocol, TypeVar

from guardproxy.classifiers.waiting_line import Place, WaitingLine

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

MOST_LOST: Final = 64
"""Threads that are lost and still busy; beyond, none takes their place: it will not get better."""


class Run(Protocol[R_co]):
    """Work for one thread, used once."""

    def __call__(self) -> R_co: ...

    def stop(self) -> None:
        """Asks the run, from another thread, before or while it works, to end soon."""
        ...


@dataclass(frozen=True, slots=True)
class Returned(Generic[R]):
    """A run's result."""

    result: R
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """What a run raised."""

    error: BaseException
    seconds: float


def attempt(run: Run[R]) -> Returned[R] | Failed:
    """Runs it and keeps whatever it raises: a lost error would be a caller who waits for ever."""
    began = time.perf_counter()
    try:
        result = run()
    except BaseException as error:  # noqa: BLE001 - a Rust panic is not even an Exception
        return Failed(error, time.perf_counter() - began)
    return Returned(result, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class _Begun:
    thread: Thread
    at: float


class Lanes(Generic[T]):
    """A waiting line and the threads, `wanted` of them, that work at what stands in it.

    A thread takes the next itself when it has ended one: as long as the event loop handed it out,
    each thread stood idle for an eighth of the time with work waiting. So there is a lock, held
    for microseconds; every method may be called from any thread.

    A thread at work that may never end is lost: it is not counted, so another takes its place,
    until it comes back for more.

    Not `ThreadPoolExecutor`: a thread of a pool that hangs in native code keeps its place in the
    pool, and keeps the interpreter from exiting. A daemon thread can be left behind.
    """

    def __init__(self, work: Callable[[T], None], *, name: str) -> None:
        """`work` is called in the threads and must not raise."""
        self._work = work
        self._name = name
        self._changed = Condition()
        self._line: WaitingLine[T] = WaitingLine()
        self._begun: dict[T, _Begun] = {}
        self._wanted = 0
        self._threads: set[Thread] = set()
        self._lost: set[Thread] = set()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    @property
    def threads(self) -> int:
        """Threads that take from the line, now or when they have ended what they are at."""
        return len(self._threads) - len(self._lost)

    def join(self, item: T, due: float, cost: int) -> Place[T]:
        """A place in the line; a thread that is free takes it at once."""
        with self._changed:
            place = self._line.join(item, due, cost)
            self._changed.notify()
        return place

    def cost_before(self, due: float) -> int:
        """What goes first if something that is due then joins."""
        with self._changed:
            return self._line.cost_before(due)

    def leave(self, place: Place[T]) -> bool:
        """Gives a place up; True if a thread is at it, which is lost then."""
        with self._changed:
            self._line.leave(place)
            begun = self._begun.get(place.run)
            if begun is not None:
                self._lost.add(begun.thread)
            self._fill()
            return begun is not None

    def lose_late(self, patience: Callable[[T], float]) -> int:
        """Loses the threads that are at something for longer than its `patience`, in seconds.

        Returns how many that were.
        """
        now = time.monotonic()
        with self._changed:
            late = {
                begun.thread
                for item, begun in self._begun.items()
                if now - begun.at > patience(item)
            } - self._lost
            self._lost |= late
            self._fill()
            return len(late)

    def want(self, threads: int) -> None:
        """From now on so many; who is one too many goes when he has ended what he is at."""
        with self._changed:
            if threads == self._wanted:
                return
            self._wanted = threads
            self._fill()
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Ends the threads, waiting so long at most for each; one that hangs is left behind."""
        self.want(-1)
        for thread in list(self._threads):
            thread.join(seconds)

    def _fill(self) -> None:
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        self._lost &= self._threads
        while self.threads < self._wanted and len(self._lost) < MOST_LOST:
            thread = Thread(target=self._stay, name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def _stay(self) -> None:
        item = self._take()
        while item is not None:
            self._work(item)
            item = self._take(item)

    def _take(self, ended: T | None = None) -> T | None:
        """The next; None for a thread that is no longer wanted."""
        thread = current_thread()
        with self._changed:
            if ended is not None:
                del self._begun[ended]
                self._lost.discard(thread)
            while self.threads <= self._wanted:
                if len(self._line):
                    item = self._line.take()
                    self._begun[item] = _Begun(thread, time.monotonic())
                    return item
                self._changed.wait()
            self._threads.discard(thread)
            return None
