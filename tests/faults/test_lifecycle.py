"""Ends and changes of policy while everybody asks: nobody fails, nobody meets two policies.

`make faults` does the same many times, and with workers that are replaced.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from bench.faults.api import CARD
from bench.faults.lifecycle import change_policy, is_mixed, place_of, policy_text
from guardproxy.proxy import connection
from tests.processes import serving
from tests.servers import (
    DONE,
    RawRequest,
    ScriptedUpstream,
    Wire,
    as_it_ends,
    ask,
    connect,
    delta,
    post,
    read_answer,
    said,
    served,
)


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    length = (b"content-length", b"5")
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.mark.parametrize("begun", [b"", b"GET / HT"], ids=["connected", "half a head"])
def test_a_request_that_is_on_its_way_when_the_server_ends_is_answered_x19(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connection, "_LAST_HEAD_SECONDS", 20)
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with contextlib.ExitStack() as stack:
        with served(hello) as url:
            caller = stack.enter_context(connect(url))
            caller.sendall(begun)
            # Connections are taken in turn: when this one is answered, the first is known.
            assert post(url, b"", method="GET").status == 200
            as_it_ends(url, partial(caller.sendall, request.removeprefix(begun)))
        answer = read_answer(caller, "GET")

    assert (answer.status, answer.header(b"connection")) == (200, b"close")


def slow_stream(_: RawRequest, wire: Wire) -> None:
    wire.begin_stream()
    for number in range(20):
        wire.chunk(delta(f"word {number} "))
        threading.Event().wait(0.05)
    wire.end_stream(delta(None, finish="stop"), DONE)


def test_open_streams_and_running_requests_end_in_order_at_sigterm_x19(
    api: ScriptedUpstream,
) -> None:
    begun = threading.Semaphore(0)

    def script(request: RawRequest, wire: Wire) -> None:
        begun.release()
        if request.json().get("stream"):
            slow_stream(request, wire)
        else:
            threading.Event().wait(0.5)
            wire.answer(said("It is sunny."))

    api.says(script)
    with serving("--upstream", api.url, log_level="error", classifier_timeout="20") as running:
        url = running.ready().url
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(post, url, ask(stream=n % 2 == 0)) for n in range(8)]
            for _ in answers:
                assert begun.acquire(timeout=20)
            running.signal(signal.SIGTERM)
            told = [answer.result() for answer in answers]
        assert running.ended() == 0

    assert [answer.status for answer in told] == [200] * 8
    assert [DONE in answer.body for answer in told] == [True, False] * 4


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(policy_text(0), encoding="utf-8")
    return file


def test_a_request_meets_one_policy_however_often_it_changes_x20(
    api: ScriptedUpstream, policy: Path
) -> None:
    """Each policy blocks all that comes, at the question or at the answer: a mixture does not."""
    api.says(said(f"It is {CARD}."))
    with serving(
        "--upstream", api.url, policy=str(policy), log_level="error", classifier_timeout="20"
    ) as running:
        url, pid = running.ready().url, running.process.pid
        over = threading.Event()
        valid = {"number-0"}

        def ask_on() -> list[tuple[int, str, str]]:
            seen = []
            while not over.is_set():
                answer = post(url, ask(f"Is it {CARD}?"))
                name = (answer.header(b"x-guardproxy-policy") or b"").decode().partition("@")[0]
                seen.append((answer.status, name, place_of(answer.body)))
            return seen

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask_on) for _ in range(3)]
            for number in range(1, 19):
                if change_policy(policy, number):
                    valid.add(f"number-{number}")
                os.kill(pid, signal.SIGHUP)
                threading.Event().wait(0.1)
            over.set()
            seen = [answer for each in asking for answer in each.result()]

    assert {status for status, _, _ in seen} == {403}
    assert {name for _, name, _ in seen} <= valid
    assert not [answer for answer in seen if is_mixed(*answer)]
    assert len({name for _, name, _ in seen}) > 1
