"""Threads take what is due next, come and go as wanted, and one that is lost is replaced."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from guardproxy.classifiers.lanes import Failed, Lanes, attempt
from tests.classifiers.runs import FakeRun

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


def test_one_thread_takes_what_is_due_first() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        busy = FakeRun("busy", until=begin)
        each.join(busy, 0.0, 1)
        assert busy.started.wait(5)
        each.join(FakeRun("late"), 2.0, 1)
        each.join(FakeRun("early"), 1.0, 1)
        assert (len(each), each.cost_before(1.5)) == (2, 1)
        begin.set()

        assert [ended(), ended(), ended()] == ["busy", "early", "late"]


def test_what_has_left_the_line_is_not_taken() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        busy = FakeRun("busy", until=begin)
        begun = each.join(busy, 0.0, 1)
        assert busy.started.wait(5)
        left = each.join(FakeRun("left"), 1.0, 1)
        each.join(FakeRun("stays"), 2.0, 1)

        assert not each.leave(left)
        begin.set()
        assert [ended(), ended()] == ["busy", "stays"]
        assert not each.leave(begun)
        assert each.threads == 1


def test_a_lost_thread_is_replaced_and_one_goes_when_it_comes_back() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        hung = FakeRun("hung", until=begin, deaf=True)
        begun = each.join(hung, 0.0, 1)
        assert hung.started.wait(5)

        assert each.leave(begun)
        each.join(FakeRun("next"), 1.0, 1)
        assert ended() == "next"
        begin.set()
        assert ended() == "hung"


def test_who_is_late_is_lost_once() -> None:
    begin = threading.Event()
    with lanes(1) as each:
        late = FakeRun("late", until=begin)
        each.join(late, 0.0, 1)
        assert late.started.wait(5)

        assert each.lose_late(lambda _: 60.0) == 0
        assert each.lose_late(lambda _: 0.0) == 1
        assert each.lose_late(lambda _: 0.0) == 0
        each.join(FakeRun("next"), 1.0, 1)
        assert ended() == "next"
        begin.set()
        assert ended() == "late"


def test_fewer_are_left_when_fewer_are_wanted() -> None:
    with lanes(3) as each:
        each.want(1)
        each.join(FakeRun("one"), 0.0, 1)

        assert ended() == "one"


def test_whatever_a_run_raises_is_kept() -> None:
    class Panic(BaseException):
        """As Rust's, which is no Exception."""

    outcome = attempt(FakeRun(error=Panic()))

    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Panic)
    assert outcome.seconds >= 0
