"""Each caller gets its own results, whatever others do; a hung run costs a thread, not a place."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from threading import Event
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardproxy.classifiers import lanes
from guardproxy.classifiers.scheduler import Job, Scheduler, run_here
from guardproxy.errors import ClassifierError
from tests.classifiers.runs import FakeRun, job
from tests.profiles import examples


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.depths: list[int] = []
        self.abandonments: list[int] = []
        self.fewer = asyncio.Event()

    def ran(self, seconds: float, tokens: int) -> None:
        assert seconds >= 0
        self.runs.append(tokens)

    def queued(self, depth: int) -> None:
        self.depths.append(depth)

    def cache(self, *, hit: bool) -> None:
        raise AssertionError("a scheduler has no cache")

    def abandoned(self, threads: int) -> None:
        if self.abandonments and threads < self.abandonments[-1]:
            self.fewer.set()
        self.abandonments.append(threads)


async def eventually(event: Event) -> None:
    """Waits for a thread without holding the loop."""
    assert await asyncio.to_thread(event.wait, 10)


async def given_up(run: FakeRun, scheduler: Scheduler[object], key: str = "hung") -> None:
    """Starts a run and leaves it while it works."""
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(scheduler.run_all([job(key, run)]))
        await eventually(run.started)
        waiting.cancel()


async def test_results_come_in_the_order_of_the_jobs() -> None:
    async with Scheduler[object](2) as scheduler:
        results = await scheduler.run_all(
            [job(str(cost), FakeRun(cost), cost) for cost in (300, 5, 70)]
        )

    assert results == [300, 5, 70]


async def test_no_jobs_need_no_thread() -> None:
    assert await Scheduler[object](1).run_all([]) == []


async def test_equal_keys_run_once() -> None:
    until = Event()
    first, second = FakeRun("shared", until=until), FakeRun("never")
    async with Scheduler[object](2) as scheduler, asyncio.TaskGroup() as tasks:
        one = tasks.create_task(scheduler.run_all([job("same", first), job("same", second)]))
        await eventually(first.started)
        two = tasks.create_task(scheduler.run_all([job("same", second)]))
        await asyncio.sleep(0)
        until.set()

    assert (one.result(), two.result()) == (["shared", "shared"], ["shared"])
    assert (first.runs, second.runs) == (1, 0)


async def test_who_leaves_does_not_take_the_run_from_the_others() -> None:
    until = Event()
    run = FakeRun("shared", until=until)
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        leaver = tasks.create_task(scheduler.run_all([job("same", run)]))
        await eventually(run.started)
        stayer = tasks.create_task(scheduler.run_all([job("same", FakeRun())]))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        until.set()

    assert stayer.result() == ["shared"]
    assert not run.stopped.is_set()


async def test_a_run_nobody_waits_for_is_not_started() -> None:
    until = Event()
    busy, left = FakeRun(until=until), FakeRun()
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        tasks.create_task(scheduler.run_all([job("busy", busy)]))
        await eventually(busy.started)
        leaver = tasks.create_task(scheduler.run_all([job("left", left)]))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        until.set()

    assert left.runs == 0


async def test_a_run_left_while_it_works_is_stopped_and_its_thread_replaced() -> None:
    never = Event()
    hung = FakeRun(until=never)
    recorder = Recorder()
    async with Scheduler[object](1, observer=recorder) as scheduler:
        await given_up(hung, scheduler)

        assert await scheduler.run_all([job("next", FakeRun("alive"))]) == ["alive"]
    assert hung.stopped.is_set()
    assert recorder.abandonments[0] == 1


async def test_twenty_hung_runs_do_not_hold_up_the_next() -> None:
    never = Event()
    async with Scheduler[object](2) as scheduler:
        hung = [FakeRun(until=never, deaf=True) for _ in range(20)]
        async with asyncio.TaskGroup() as tasks:
            for number, run in enumerate(hung):
                tasks.create_task(deadline(scheduler, job(str(number), run), 0.05))

        assert await scheduler.run_all([job("21st", FakeRun("alive"))]) == ["alive"]
        never.set()


async def test_nor_while_their_callers_still_wait_for_them() -> None:
    """All at once, so that the next waits behind runs that have not even begun to hang."""
    release = Event()
    hung = [FakeRun(number, until=release, deaf=True) for number in range(20)]
    async with Scheduler[object](2) as scheduler, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(
            scheduler.run_all([job(str(number), run) for number, run in enumerate(hung)])
        )
        await asyncio.sleep(0)

        assert await scheduler.run_all([job("21st", FakeRun("alive"))]) == ["alive"]
        assert not waiting.done()
        release.set()

    assert waiting.result() == list(range(20))


async def test_a_thread_lent_to_others_goes_when_a_run_that_was_late_ends() -> None:
    release = Event()
    late = FakeRun("late", until=release)
    before = lanes_alive()
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(scheduler.run_all([job("late", late)]))
        await eventually(late.started)
        await scheduler.run_all([job("next", FakeRun())])
        assert not waiting.done()
        release.set()
        await waiting
        await asyncio.to_thread(wait_until, lambda: lanes_alive() == before + 1)

        assert await scheduler.run_all([job("again", FakeRun("one is left"))]) == ["one is left"]


def lanes_alive() -> int:
    return sum(each.name == "guardproxy-classifier" for each in threading.enumerate())


async def test_who_leaves_as_his_run_ends_takes_no_thread_with_him() -> None:
    run = FakeRun()
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        leaver = tasks.create_task(scheduler.run_all([job("ends", run)]))
        await asyncio.sleep(0)
        # The loop is held meanwhile, so that it has not heard of it yet.
        wait_until(lambda: bool(run.runs) and not scheduler._lanes._begun)
        leaver.cancel()

        assert await scheduler.run_all([job("next", FakeRun("alive"))]) == ["alive"]
    assert not run.stopped.is_set()


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.001)


async def deadline(scheduler: Scheduler[object], one: Job[object], seconds: float) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scheduler.run_all([one]), seconds)


async def test_too_many_hung_threads_refuse_until_one_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "MOST_LOST", 2)
    untils = [Event(), Event()]
    recorder = Recorder()
    async with Scheduler[object](1, observer=recorder) as scheduler:
        for number, until in enumerate(untils):
            await given_up(FakeRun(until=until, deaf=True), scheduler, str(number))

        with pytest.raises(ClassifierError, match="hangs"):
            await scheduler.run_all([job("no thread", FakeRun())])

        untils[0].set()
        await asyncio.wait_for(recorder.fewer.wait(), 10)

        assert await scheduler.run_all([job("thread", FakeRun("alive"))]) == ["alive"]
        untils[1].set()


async def test_what_waits_behind_hung_threads_runs_when_one_returns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "MOST_LOST", 1)
    until = Event()
    hung, waiting = FakeRun(until=until, deaf=True), FakeRun("at last")
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        leaver = tasks.create_task(scheduler.run_all([job("hung", hung)]))
        await eventually(hung.started)
        stayer = tasks.create_task(scheduler.run_all([job("waiting", waiting)]))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        until.set()

    assert stayer.result() == ["at last"]


async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    until = Event()
    failing = FakeRun(error=ClassifierError("no scores"), until=until)
    kept: dict[bytes, object] = {}
    async with Scheduler[object](1, keep=kept.__setitem__) as scheduler:
        calls = [scheduler.run_all([job("same", failing)]) for _ in range(3)]
        release = asyncio.get_running_loop().call_later(0.01, until.set)
        errors = await asyncio.gather(*calls, return_exceptions=True)
        release.cancel()

        assert [str(error) for error in errors] == ["no scores"] * 3
        assert len({id(error) for error in errors}) == 3
        assert await scheduler.run_all([job("same", FakeRun("again"))]) == ["again"]
    assert kept == {b"same": "again"}


async def test_a_failure_lets_go_of_the_callers_other_runs() -> None:
    busy, never_run = FakeRun(error=ClassifierError("no")), FakeRun()
    async with Scheduler[object](1) as scheduler:
        with pytest.raises(ClassifierError, match="no"):
            await scheduler.run_all([job("a", busy), job("b", FakeRun(until=Event()), 9)])
        assert await scheduler.run_all([job("c", never_run)]) == ["done"]


async def test_a_foreign_error_is_named_and_not_quoted() -> None:
    async with Scheduler[object](1) as scheduler:
        with pytest.raises(ClassifierError, match=r"^a run failed: ValueError$"):
            await scheduler.run_all([job("a", FakeRun(error=ValueError("the user's text")))])


async def test_results_are_kept_though_the_caller_fails() -> None:
    kept: dict[bytes, object] = {}
    async with Scheduler[object](1, keep=kept.__setitem__) as scheduler:
        with pytest.raises(ClassifierError):
            await scheduler.run_all(
                [job("good", FakeRun(1)), job("bad", FakeRun(error=ClassifierError("bad")), 9)]
            )

    assert kept == {b"good": 1}


async def test_closing_tells_those_who_wait_and_stops_what_runs() -> None:
    running, waiting = FakeRun(until=Event()), FakeRun()
    scheduler = Scheduler[object](1)
    async with scheduler:
        calls = asyncio.gather(
            scheduler.run_all([job("running", running)]),
            scheduler.run_all([job("waiting", waiting)]),
            return_exceptions=True,
        )
        await eventually(running.started)

    assert [str(error) for error in await calls] == ["the classifier is closing"] * 2
    assert running.stopped.is_set()
    with pytest.raises(ClassifierError, match="closed"):
        await scheduler.run_all([job("late", FakeRun())])


async def test_an_observer_hears_of_runs_and_of_the_line() -> None:
    recorder = Recorder()
    async with Scheduler[object](1, observer=recorder) as scheduler:
        await scheduler.run_all([job("a", FakeRun(), 7), job("b", FakeRun(), 5)])

    assert recorder.runs == [7, 5]
    assert len(recorder.depths) == 3
    assert recorder.depths[-1] == 0


def test_a_run_on_the_spot_fails_as_a_scheduled_one() -> None:
    assert run_here(FakeRun("here")) == "here"
    with pytest.raises(ClassifierError, match=r"^a run failed: ValueError$"):
        run_here(FakeRun(error=ValueError("the user's text")))


calls = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), min_size=1, max_size=5),  # keys
        st.integers(0, 3),  # turns of the loop before it starts
        st.none() | st.integers(0, 6),  # turns until it is cancelled
    ),
    min_size=1,
    max_size=12,
)


Called: TypeAlias = tuple[list[int], list[object]]


async def call(scheduler: Scheduler[object], keys: list[int], start: int) -> Called:
    for _ in range(start):
        await asyncio.sleep(0)
    jobs = [job(str(key), FakeRun(f"result {key}"), key + 1) for key in keys]
    return keys, await scheduler.run_all(jobs)


async def cancel(task: asyncio.Task[Called], turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()


async def play(
    plan: list[tuple[list[int], int, int | None]], threads: int
) -> list[asyncio.Task[Called]]:
    played = []
    async with Scheduler[object](threads) as scheduler, asyncio.TaskGroup() as tasks:
        for keys, start, end in plan:
            played.append(tasks.create_task(call(scheduler, keys, start)))
            if end is not None:
                tasks.create_task(cancel(played[-1], end))
    return played


@given(calls, st.integers(1, 3))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=examples(60))
def test_each_caller_gets_its_own_in_order_under_any_interleaving(
    plan: list[tuple[list[int], int, int | None]], threads: int
) -> None:
    played = asyncio.run(play(plan, threads))

    finished = [task for task in played if not task.cancelled()]
    assert len(finished) >= sum(end is None for _, _, end in plan)
    for keys, results in (task.result() for task in finished):
        assert results == [f"result {key}" for key in keys]


async def test_a_newcomer_s_wait_is_what_goes_before_him_at_the_pace_of_late() -> None:
    async with Scheduler[object](2) as scheduler:
        assert scheduler.expected_wait == 0
        until = Event()
        busy = [FakeRun(until=until), FakeRun(until=until)]
        scheduler._pace.ran(0.04, 20)
        async with asyncio.TaskGroup() as tasks:
            for number, run in enumerate(busy):
                tasks.create_task(scheduler.run_all([job(f"busy {number}", run, 1_000)]))
                await eventually(run.started)
            assert scheduler.expected_wait == 0
            tasks.create_task(scheduler.run_all([job("short", FakeRun(), 1)]))
            tasks.create_task(scheduler.run_all([job("long", FakeRun(), 1_000_000)]))
            await asyncio.sleep(0.01)

            assert scheduler.expected_wait == pytest.approx(1 * 0.002 / 2)
            until.set()


async def test_before_the_first_run_nobody_knows_a_pace() -> None:
    until = Event()
    run = FakeRun(until=until)
    async with Scheduler[object](1) as scheduler, asyncio.TaskGroup() as tasks:
        tasks.create_task(scheduler.run_all([job("busy", run)]))
        await eventually(run.started)
        tasks.create_task(scheduler.run_all([job("next", FakeRun(), 5)]))
        await asyncio.sleep(0.01)

        assert scheduler.expected_wait == 0
        until.set()
