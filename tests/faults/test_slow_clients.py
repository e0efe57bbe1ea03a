"""Callers who take their time, or never take anything: bounded, sent away, and felt by nobody.

`make faults` measures the memory and what others feel; here it is that they are served.
"""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Proxy, proxying
from tests.processes import serving
from tests.servers import (
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    connect,
    delta,
    eventually,
    policy_file,
    post,
    request_bytes,
    said,
)

OPEN = """
name: open
input: [{moderation_llm_v2: {ignore_other_categories: true, custom_category_thresholds: {pii: 1}}}]
output: []
"""
CALLERS = 3
IN_PROGRESS = "guardproxy_requests_in_progress"
LARGE = said("word " * 1_200_000)
"""More than the system takes from a sender whose receiver does not read."""


def deaf(url: str, data: bytes) -> socket.socket:
    """A caller who sends this and reads nothing."""
    connection = connect(url)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.sendall(data)
    return connection


def endless(_: RawRequest, wire: Wire) -> None:
    event = delta("word " * 1_000)
    wire.begin_stream()
    while True:
        wire.chunk(event)


def streaming_or_whole(request: RawRequest, wire: Wire) -> None:
    if request.json().get("stream"):
        endless(request, wire)
    else:
        wire.answer(LARGE if request.json()["model"] == "large" else said("It is sunny."))


@contextmanager
def impatient(api: ScriptedUpstream, folder: Path) -> Iterator[Proxy]:
    policy = policy_file(folder, OPEN)
    with proxying(api, policy=policy, idle_timeout=0.5) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("model", "close"),
    [("stream", False), ("large", False), ("large", True)],
    ids=["stream", "whole", "last on its connection"],
)
def test_callers_who_do_not_read_are_sent_away_and_leave_nothing_x13(
    api: ScriptedUpstream, tmp_path: Path, model: str, *, close: bool
) -> None:
    api.says(streaming_or_whole)
    headers = [("Connection", "close")] if close else []
    request = request_bytes(ask(model=model, stream=model == "stream"), headers=headers)
    with impatient(api, tmp_path) as proxy:
        callers = [deaf(proxy.url, request) for _ in range(CALLERS)]
        assert [proxy.ask().status for _ in range(5)] == [200] * 5
        eventually(lambda: proxy.metric(IN_PROGRESS) == 0, "they are sent away")
        eventually(lambda: connections_of(proxy.url) == 0, "their connections are closed")
        for caller in callers:
            caller.close()


def test_what_those_who_left_held_is_free_without_a_look_for_garbage_x13(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    """Such looks are rare, and what one caller held may be hundreds of kilobytes."""
    api.says(streaming_or_whole)
    with impatient(api, tmp_path) as proxy:
        assert proxy.ask().status == 200
        with saving_garbage() as garbage:
            callers = [deaf(proxy.url, request_bytes(ask(stream=True))) for _ in range(CALLERS)]
            eventually(lambda: len(api.requests) == 1 + CALLERS, "they are served")
            eventually(lambda: proxy.metric(IN_PROGRESS) == 0, "they are sent away")
            eventually(lambda: connections_of(proxy.url) == 0, "their connections are closed")
            for caller in callers:
                caller.close()

    ours = {type(each).__name__ for each in garbage if "guardproxy" in type(each).__module__}
    assert ours == set()


@contextmanager
def saving_garbage() -> Iterator[list[object]]:
    """Gives what a look for garbage at the end of the block would have had to free."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def connections_of(url: str) -> int:
    """How many connections a server on this machine holds; what only the system holds is none."""
    port = f"{int(url.rpartition(':')[2]):04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    fields = [line.split() for line in lines]
    listening, nobody = "0A", "0"
    return sum(
        each[1].endswith(f":{port}") and each[3] != listening and each[9] != nobody
        for each in fields
    )


def test_slow_bodies_and_heads_keep_nobody_else_waiting_x14_x15(api: ScriptedUpstream) -> None:
    api.says(said("It is sunny."))
    request = request_bytes(ask())
    with proxying(api, concurrent_requests=5) as proxy:
        slow = [connect(proxy.url) for _ in range(60)]
        for number, caller in enumerate(slow):
            caller.sendall(request[: 20 if number % 2 else -20])
        answered = [post(proxy.url, ask()).status for _ in range(20)]
        for number, caller in enumerate(slow):
            caller.sendall(request[20 if number % 2 else -20 :])
        finished = sum(bool(caller.recv(12)) for caller in slow)
        for caller in slow:
            caller.close()

    assert answered == [200] * 20
    assert finished == 60


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def test_a_caller_who_does_not_read_costs_little_memory_x13(
    api: ScriptedUpstream, tmp_path: Path
) -> None:
    api.says(streaming_or_whole)
    policy = policy_file(tmp_path, OPEN)
    many, each_kb, noise_kb = 20, 512, 16_000
    with serving("--upstream", api.url, policy=policy, log_level="error") as running:
        url = running.ready().url
        assert post(url, ask()).status == 200
        before = resident_kb(running.process.pid)
        callers = [deaf(url, request_bytes(ask(stream=True))) for _ in range(many)]
        grown = settled(lambda: resident_kb(running.process.pid)) - before
        for caller in callers:
            caller.close()

    assert grown < many * each_kb + noise_kb


def settled(measure: Callable[[], int]) -> int:
    """The value, when it has stopped growing."""
    last, still = 0, 0
    while still < 3:
        time.sleep(0.3)
        now = measure()
        still, last = (still + 1 if now <= last * 1.005 else 0), now
    return last
