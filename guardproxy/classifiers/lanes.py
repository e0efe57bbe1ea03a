"""Threads that run one thing at a time, and can be given up when it does not return."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Generic, Protocol, TypeVar

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


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


class Lane:
    """One thread.

    Not `ThreadPoolExecutor`: a thread of a pool that hangs in native code keeps its place in the
    pool, and keeps the interpreter from exiting. A daemon thread can be left behind.
    """

    def __init__(self, name: str) -> None:
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def start(self, run: Run[R], report: Callable[[Returned[R] | Failed], None]) -> None:
        """Runs `run` after what was started before, then calls `report` in this lane's thread."""
        self._inbox.put(lambda: report(attempt(run)))

    def close(self) -> None:
        """Ends the thread after what was started; may be called twice."""
        self._inbox.put(None)

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    def _work(self) -> None:
        while (work := self._inbox.get()) is not None:
            work()


def attempt(run: Run[R]) -> Returned[R] | Failed:
    """Runs it and keeps whatever it raises: a lost error would be a caller who waits for ever."""
    began = time.perf_counter()
    try:
        result = run()
    except BaseException as error:  # noqa: BLE001 - a Rust panic is not even an Exception
        return Failed(error, time.perf_counter() - began)
    return Returned(result, time.perf_counter() - began)
