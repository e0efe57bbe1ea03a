"""Runs for the scheduler that misbehave as told."""

from __future__ import annotations

from threading import Event

from guardproxy.classifiers.scheduler import Job


class FakeRun:
    """Returns `result`, or raises `error`; waits first for `until`, if given.

    `stop` ends the wait, unless the run is `deaf`, as native code that hangs is.
    """

    def __init__(
        self,
        result: object = "done",
        *,
        error: BaseException | None = None,
        until: Event | None = None,
        deaf: bool = False,
    ) -> None:
        self.result = result
        self.error = error
        self.until = until
        self.deaf = deaf
        self.started = Event()
        self.stopped = Event()
        self.runs = 0

    def __call__(self) -> object:
        self.runs += 1
        self.started.set()
        if self.until is not None:
            self._wait(self.until)
        if self.error is not None:
            raise self.error
        return self.result

    def stop(self) -> None:
        self.stopped.set()

    def _wait(self, until: Event) -> None:
        while not until.wait(0.005):
            if self.stopped.is_set() and not self.deaf:
                raise RuntimeError("stopped")


def job(key: str, run: FakeRun, cost: int = 1) -> Job[object]:
    return Job(key.encode(), cost, run)
