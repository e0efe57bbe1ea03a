"""Threads take what is due next, come and go as wanted, and one that is lost is replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from guardproxy.classifiers.lanes import Failed, Lanes, attempt
from guardproxy.classifiers.waiting_line import Place
from tests.classifiers.runs import FakeRun
from tests.servers import eventually

done: SimpleQueue[object] = SimpleQueue()


@contextmanager
def lanes(threads: int) -> Iterator[Lanes[FakeRun]]:
    each: Lanes[FakeRun] = Lanes(lambda run: done.put(run()), name="test")
    each.want(threads)
    try:
        yield each
    finally:
        each.close(5)
        assert each.threads == 0


def ended() -> object:
    return done.get(timeout=5)


def begun(each: Lanes[FakeRun], run: FakeRun) -> Place[FakeRun]:
    """The place of a run that a thread is at."""
    place = each.join(run, 0.0, 1)
    assert run.started.wait(5)
    return place


def alive(each: Lanes[FakeRun]) -> int:
    """Threads that have not gone, lost ones as well."""
    return len(each._threads)


def test_one_thread_takes_what_is_due_first() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        begun(each, FakeRun("busy", until=begin))
        each.join(FakeRun("late"), 2.0, 1)
        each.join(FakeRun("early"), 1.0, 1)
        assert (len(each), each.cost_before(1.5)) == (2, 1)
        begin.set()

        assert [ended(), ended(), ended()] == ["busy", "early", "late"]


def test_what_has_left_the_line_is_not_taken() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        busy = begun(each, FakeRun("busy", until=begin))
        left = each.join(FakeRun("left"), 1.0, 1)
        each.join(FakeRun("stays"), 2.0, 1)

        assert not each.leave(left)
        begin.set()
        assert [ended(), ended()] == ["busy", "stays"]
        assert not each.leave(busy)
        assert each.threads == 1


def test_a_lost_thread_is_replaced_and_one_goes_when_it_comes_back() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        assert each.leave(begun(each, FakeRun("hung", until=begin, deaf=True)))
        assert alive(each) == 2
        each.join(FakeRun("next"), 1.0, 1)
        assert ended() == "next"
        begin.set()
        assert ended() == "hung"
        eventually(lambda: alive(each) == 1)


def test_who_is_late_is_lost_once() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        begun(each, FakeRun("late", until=begin))

        assert each.lose_late(lambda _: 60.0) == 0
        assert each.lose_late(lambda _: 0.0) == 1
        assert each.lose_late(lambda _: 0.0) == 0
        each.join(FakeRun("next"), 1.0, 1)
        assert ended() == "next"
        begin.set()
        assert ended() == "late"


def test_fewer_are_left_when_fewer_are_wanted() -> None:
    with lanes(3) as each:
        assert alive(each) == 3
        each.want(1)
        eventually(lambda: alive(each) == 1)
        each.join(FakeRun("one"), 0.0, 1)

        assert ended() == "one"


def test_whatever_a_run_raises_is_kept() -> None:
    class Panic(BaseException):
        """As Rust's, which is no Exception."""

    outcome = attempt(FakeRun(error=Panic()))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Panic)
    assert outcome.seconds >= 0
