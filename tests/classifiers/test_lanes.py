"""A lane runs one thing after the other and reports whatever becomes of it."""

from __future__ import annotations

from queue import SimpleQueue

from guardproxy.classifiers.lanes import Failed, Lane, Returned, attempt
from tests.classifiers.runs import FakeRun


def test_what_a_run_returns_is_reported() -> None:
    reports: SimpleQueue[Returned[object] | Failed] = SimpleQueue()
    lane = Lane("test")
    lane.start(FakeRun("first"), reports.put)
    lane.start(FakeRun("second"), reports.put)

    results = [reports.get(timeout=5), reports.get(timeout=5)]
    lane.close()
    lane.close()
    lane.join(5)

    assert [r.result for r in results if isinstance(r, Returned)] == ["first", "second"]


def test_whatever_a_run_raises_is_kept() -> None:
    class Panic(BaseException):
        """As Rust's, which is no Exception."""

    outcome = attempt(FakeRun(error=Panic()))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Panic)
    assert outcome.seconds >= 0
