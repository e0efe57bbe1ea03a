"""Whatever happens within the embedded classifier: the policy decides, in both directions.

`tests/e2e/test_failures.py` does the same for the seam; here the runs of the real classifier go
wrong, below its scheduler, its threads, its windows and its cache.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from guardproxy.classifiers import scheduler as scheduler_module
from guardproxy.classifiers.gate import Gate
from guardproxy.classifiers.onnx import OnnxRun, Row, read_row
from guardproxy.classifiers.scheduler import Scheduler
from guardproxy.errors import ClassifierDeadline
from tests.classifiers.runs import FakeRun, job
from tests.e2e.conftest import Proxy, proxying
from tests.servers import DONE, RawAnswer, ScriptedUpstream, delta, eventually, policy_file, said

POLICY = """
name: failing
input: [{{block_on_error: {closed}, moderation_llm_v2: {{action: block}}}}]
output: [{{block_on_error: {closed}, moderation_llm_v2: {{action: block}}}}]
"""
WELL: Callable[[OnnxRun], Row] = OnnxRun.__call__


class Panic(BaseException):
    """What a Rust extension raises: not even an `Exception`."""


class Release:
    """Lets go of what hangs for good when a test is over."""

    event = threading.Event()


def fails(_: OnnxRun) -> Row:
    raise RuntimeError("secret text")


def panics(_: OnnxRun) -> Row:
    raise Panic("secret text")


def exits(_: OnnxRun) -> Row:
    raise SystemExit


def hangs(run: OnnxRun) -> Row:
    """Until it is stopped, as onnxruntime between two operators."""
    while not run._options.terminate and not Release.event.wait(0.01):
        pass
    raise RuntimeError("terminated")


def hangs_for_good(_: OnnxRun) -> Row:
    """Within an operator: nothing stops it."""
    Release.event.wait()
    raise RuntimeError("at last")


def is_slow(run: OnnxRun) -> Row:
    """Slower than usual, and in time."""
    time.sleep(0.05)
    return WELL(run)


def gives(value: float, *, rows: int = 1, more: int = 0) -> Callable[[OnnxRun], Row]:
    """Scores of this value; of so many windows, and for so many categories more than there are."""

    def run(run: OnnxRun) -> Row:
        categories = len(run._manifest.categories)
        return read_row(np.full((rows, categories + more), value, np.float32), categories)

    return run


@dataclass(frozen=True, slots=True)
class Fault:
    """How runs go wrong, and the reason that the policy hears."""

    name: str
    run: Callable[[OnnxRun], Row]
    reason: str = "error"


NOTHING_FOUND = gives(0.0)
FAULTS = (
    Fault("raises", fails),
    Fault("panics", panics),
    Fault("exits its thread", exits),
    Fault("hangs", hangs, "deadline"),
    Fault("hangs for good", hangs_for_good, "deadline"),
    Fault("gives NaN", gives(np.nan)),
    Fault("gives no probability", gives(7.0)),
    Fault("gives too few scores", gives(0.0, more=-1)),
    Fault("gives scores of others as well", gives(0.0, rows=2)),
    Fault("gives nothing", gives(0.0, rows=0)),
)
MESSAGES = {
    "error": "Moderation API request failed.",
    "deadline": "Moderation API request timed out.",
}


@dataclass(frozen=True, slots=True)
class Proxies:
    """One policy: with a judge who has time, and with one who soon gives up."""

    closed: bool
    patient: Proxy
    hasty: Proxy

    def of(self, fault: Fault) -> Proxy:
        return self.hasty if fault.reason == "deadline" else self.patient


@contextmanager
def embedded(api: ScriptedUpstream, policy: str, seconds: float) -> Iterator[Proxy]:
    with proxying(
        api,
        embedded=True,
        policy=policy,
        classifier_timeout=seconds,
        classifier_threads=2,
        cache_entries=100,
    ) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=[True, False], ids=["closed", "open"])
def guarded(
    request: pytest.FixtureRequest, api: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxies]:
    closed = bool(request.param)
    text = POLICY.format(closed=str(closed).lower())
    policy = policy_file(tmp_path_factory.mktemp("policy"), text)
    with embedded(api, policy, 20) as patient, embedded(api, policy, 0.4) as hasty:
        yield Proxies(closed, patient, hasty)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[OnnxRun], Row]], None]]:
    """Says what runs do from now on."""
    Release.event = threading.Event()
    yield lambda run: monkeypatch.setattr(OnnxRun, "__call__", run)
    Release.event.set()


def ask(proxy: Proxy, question: str, answer: str, *, streamed: bool) -> RawAnswer:
    if streamed:
        proxy.api.streams(delta(answer), delta(None, finish="stop"), DONE)
    else:
        proxy.api.says(said(answer))
    return proxy.ask(question, stream=streamed)


def passes(proxy: Proxy, question: str, answer: str, *, streamed: bool) -> None:
    """It is judged and found to be harmless; if not at once, then because the machine stalled."""

    def passed() -> bool:
        told = ask(proxy, question, answer, streamed=streamed)
        return (told.status, told.header(b"x-guardproxy-verdict")) == (200, b"passed")

    eventually(passed, "a judgement")


@pytest.mark.parametrize("place", ["request", "answer", "stream"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_the_classifier_is_what_the_policy_says_x1_x2(
    guarded: Proxies,
    runs: Callable[[Callable[[OnnxRun], Row]], None],
    fault: Fault,
    place: str,
) -> None:
    proxy = guarded.of(fault)
    question, streamed = f"Is it bad if it {fault.name} at a {place}?", place == "stream"
    if place != "request":
        runs(NOTHING_FOUND)
        passes(proxy, question, "Perhaps.", streamed=False)
    runs(fault.run)
    told = ask(proxy, question, f"It {fault.name} at a {place}, indeed.", streamed=streamed)

    if guarded.closed:
        assert (told.status, told.json()["code"]) == (403, 3201)
        assert MESSAGES[fault.reason] in told.body.decode()
        assert bool(proxy.api.requests) is (place != "request")
    else:
        assert told.status == 200
        assert told.header(b"x-guardproxy-unjudged") == fault.reason.encode()
        assert told.header(b"x-guardproxy-verdict") == b"unjudged"
    assert b"secret" not in told.body

    # Nothing of it stays: neither a score nor a thread that is missed.
    runs(NOTHING_FOUND)
    passes(proxy, question, f"It {fault.name} at a {place}, indeed.", streamed=streamed)


def test_a_slow_classifier_is_no_fault(
    api: ScriptedUpstream, tmp_path: Path, runs: Callable[[Callable[[OnnxRun], Row]], None]
) -> None:
    policy = policy_file(tmp_path, POLICY.format(closed="true"))
    with proxying(api, embedded=True, policy=policy, classifier_timeout=20) as proxy:
        runs(is_slow)
        verdicts = [
            ask(proxy, "Is it slow?", "It is.", streamed=streamed).header(b"x-guardproxy-verdict")
            for streamed in (False, True)
        ]

    assert verdicts == [b"passed"] * 2


def lanes_alive() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "guardproxy-classifier"]


def ends_its_thread(_: object) -> NoReturn:
    """What a thread may end by without a word."""
    raise SystemExit


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_that_dies_costs_one_judgement_and_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = set(lanes_alive())
    async with Scheduler[object](1) as scheduler:
        (lane,) = set(lanes_alive()) - before
        gate = Gate(places=1, seconds=0.5)  # the thread has taken it by then
        monkeypatch.setattr(scheduler_module, "attempt", ends_its_thread)
        with pytest.raises(ClassifierDeadline):
            async with gate.judgement():
                await scheduler.run_all([job("lost", FakeRun())])
        monkeypatch.undo()
        assert await scheduler.run_all([job("next", FakeRun("fine"))]) == ["fine"]
        assert not lane.is_alive()


async def test_hung_runs_take_no_place_from_those_that_come_after_x2() -> None:
    """Twenty, of which nobody can stop any, on two threads: the next is served."""
    release = threading.Event()
    hung = [FakeRun(until=release, deaf=True) for _ in range(20)]
    async with Scheduler[object](2) as scheduler:
        gate = Gate(places=64, seconds=0.5)

        async def judge(number: int) -> None:
            with pytest.raises(ClassifierDeadline):
                async with gate.judgement():
                    await scheduler.run_all([job(str(number), hung[number])])

        async with asyncio.TaskGroup() as tasks:
            for number in range(20):
                tasks.create_task(judge(number))
        assert await scheduler.run_all([job("next", FakeRun("fine"))]) == ["fine"]
        assert any(run.runs for run in hung)
        release.set()
