"""Much at once, or much in one text: everybody is served, and nothing is kept afterwards."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import Proxy, proxying
from tests.faults.test_slow_clients import IN_PROGRESS, connections_of, streaming_or_whole
from tests.processes import Running, serving
from tests.servers import (
    ScriptedUpstream,
    ask,
    connect,
    eventually,
    post,
    read_answer,
    request_bytes,
    said,
    send,
)


@pytest.fixture(scope="module")
def proxy(api: ScriptedUpstream) -> Iterator[Proxy]:
    with proxying(api) as running:
        yield running


def test_two_hundred_requests_at_once_are_all_answered_x17(
    proxy: Proxy, api: ScriptedUpstream
) -> None:
    api.says(said("It is sunny."))
    request = request_bytes(ask())
    with ExitStack() as stack:
        callers = [stack.enter_context(connect(proxy.url)) for _ in range(200)]
        for caller in callers:
            caller.sendall(request)
        statuses = [read_answer(caller).status for caller in callers]

    assert statuses == [200] * 200
    eventually(lambda: proxy.metric(IN_PROGRESS) == 0, "the end of all")


def test_thirty_large_streams_that_are_left_at_once_leave_nothing_x12(
    proxy: Proxy, api: ScriptedUpstream
) -> None:
    api.says(streaming_or_whole)
    before = connections_of(api.url.removesuffix("/v1"))
    callers = [connect(proxy.url) for _ in range(30)]
    for caller in callers:
        caller.sendall(request_bytes(ask(stream=True)))
    for caller in callers:
        assert caller.recv(65_536)
    for caller in callers:
        caller.close()

    assert proxy.ask().status == 200
    eventually(lambda: proxy.metric(IN_PROGRESS) == 0, "they are forgotten")
    eventually(
        lambda: connections_of(api.url.removesuffix("/v1")) <= before + 1,
        "nothing is read for them any more",
    )


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "\U0001f9c4" * 200_000, "a" + "\u0301" * 100_000],
    ids=["no spaces", "emoji", "combining marks"],
)
def test_a_text_that_is_hard_to_cut_costs_its_own_caller_only_x11(
    api: ScriptedUpstream, text: str
) -> None:
    api.says(said("It is sunny."))
    with proxying(api, embedded=True, classifier_timeout=2) as proxy:
        with ThreadPoolExecutor(1) as pool:
            hard = pool.submit(proxy.ask, text)
            others = [proxy.get("/healthz").status for _ in range(5)]
            answer = hard.result()
        after = proxy.ask().status

    assert others == [200] * 5
    assert answer.status in {200, 403}
    assert after == 200


def test_more_connections_than_open_files_are_waited_for_x27(api: ScriptedUpstream) -> None:
    api.says(said("It is sunny."))
    with serving("--upstream", api.url, log_level="error") as running:
        url = running.ready().url
        used = len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (used + 8, used + 8))
        callers = [connect(url) for _ in range(40)]
        for caller in callers:
            caller.close()

        eventually(lambda: connections_of(url) == 0, "they are gone")
        # Those who came while there was no file left may be taken, and found gone, a bit later.
        eventually(lambda: send(url, request_bytes(ask())).status == 200, "a request is served")
        assert running.alive


def workers_of(running: Running) -> set[int]:
    task = f"/proc/{running.process.pid}/task/{running.process.pid}/children"
    return {
        child
        for child in map(int, Path(task).read_text(encoding="ascii").split())
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    }


def test_a_worker_that_is_killed_is_replaced_and_others_serve_x4(api: ScriptedUpstream) -> None:
    api.says(said("It is sunny."))
    with serving("--upstream", api.url, "--workers", "2") as running:
        url = running.ready().url
        eventually(lambda: running.log.count("Started server process") == 2, "both workers")
        killed = min(before := workers_of(running))
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: running.log.count("Started server process") == 3, "a third worker")
        eventually(lambda: len(now := workers_of(running)) == 2 and killed not in now, "both")
        assert [post(url, ask()).status for _ in range(10)] == [200] * 10
        assert len(workers_of(running) & before) == 1


def test_a_worker_that_is_killed_while_it_is_asked_whether_it_lives_is_replaced_x4(
    api: ScriptedUpstream,
) -> None:
    with serving("--upstream", api.url, "--workers", "2") as running:
        running.ready()
        eventually(lambda: running.log.count("Started server process") == 2, "both workers")
        killed = min(workers_of(running))
        os.kill(killed, signal.SIGSTOP)
        time.sleep(2)  # it is asked every half second, and now owes an answer
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: running.log.count("Started server process") == 3, "a third worker")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
@pytest.mark.parametrize(
    "ranges", ["bytes=0-0", "bytes=" + ",".join(["0-"] * 500), "bytes=-1", "a" * 2_000]
)
def test_our_own_documents_come_whole_whatever_range_is_asked_x21(
    proxy: Proxy, path: str, ranges: str
) -> None:
    headers = [("Range", ranges)]
    plain = proxy.get(path)
    asked = post(
        proxy.url, b"", method="GET", target=path, headers=headers, content_type=None, length=False
    )

    assert asked.status == plain.status
    assert asked.header(b"content-range") is None
