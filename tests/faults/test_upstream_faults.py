"""Whatever the LLM API does: the right status or ending, no hang, nothing cut short in silence.

And nothing kept: after each fault the next caller gets his own answer, and at the end no request is
in progress, and no connection is open that was not before.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Proxy, proxying
from tests.faults.upstream_faults import AS_SENT, CUT, FAULTS, Fault, whole_body
from tests.profiles import examples
from tests.servers import (
    DONE,
    RawAnswer,
    RawRequest,
    ScriptedUpstream,
    Wire,
    ask,
    eventually,
    post,
    said,
)

FINE = said("This is the next answer.")
HASTE: dict[str, Any] = {"request_timeout": 0.6, "idle_timeout": 0.3}
IN_PROGRESS = "guardproxy_requests_in_progress"
REPEATED = examples(5) // 10  # once, and five times in the deep profile


@dataclass(frozen=True, slots=True)
class Proxies:
    """One that waits as long as it does by default, and one that soon gives up."""

    patient: Proxy
    hasty: Proxy

    def of(self, fault: Fault) -> Proxy:
        return self.hasty if fault.hasty else self.patient


@pytest.fixture(scope="module")
def proxies(api: ScriptedUpstream) -> Iterator[Proxies]:
    with proxying(api) as patient, proxying(api, **HASTE) as hasty:
        yield Proxies(patient, hasty)


def sent_by(fault: Fault, api: ScriptedUpstream) -> bytes:
    """The body that the upstream meant, as far as it is one."""
    request = api.last
    body = whole_body(request)
    if fault.name == "ends without `[DONE]`":
        return body.removesuffix(DONE)
    return body


def outcome(answer: RawAnswer) -> str:
    """What the caller sees, in the words of the table."""
    if answer.status != 200:
        return str(answer.status)
    told = b'"error"' in answer.body and DONE not in answer.body
    return CUT if told else AS_SENT


def at_last(ask_once: Callable[[], RawAnswer], expected: str) -> RawAnswer:
    """Asks until this is the outcome: who soon gives up does so sooner on a machine that stalls."""
    answers: list[RawAnswer] = []

    def came() -> bool:
        answers.append(ask_once())
        return outcome(answers[-1]) == expected

    eventually(came, expected)
    return answers[-1]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_of_the_upstream_is_told_and_over(
    proxies: Proxies, api: ScriptedUpstream, fault: Fault, *, streamed: bool
) -> None:
    proxy = proxies.of(fault)
    for _ in range(REPEATED):
        api.says(fault.script)
        expected = fault.streamed if streamed else fault.whole
        ask_once = partial(proxy.ask, stream=streamed)
        answer = at_last(ask_once, expected) if fault.hasty else ask_once()

        if fault.status is not None:
            assert (answer.status, expected) == (fault.status, AS_SENT)
        else:
            assert outcome(answer) == expected
        if expected == AS_SENT and fault.meant:
            assert answer.body == sent_by(fault, api)
        elif expected not in (AS_SENT, CUT):
            assert answer.json()["error"]["code"] == "upstream_error"

        api.says(FINE)
        # Who soon gives up may do so again, on a machine that stalls.
        if fault.hasty:
            eventually(lambda: proxy.ask().json() == FINE, "the next answer")
        assert fault.hasty or proxy.ask().json() == FINE, "the next caller got what was left of it"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def plain() -> Iterator[int]:
    """A server that takes a TLS handshake for a bad request, on this port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4_096)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        # A thread in `accept` is not woken by the socket's end.
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{closed}", "http://no-such-host.invalid", "https://127.0.0.1:{plain}"],
    ids=["refused", "no such name", "no TLS"],
)
def test_an_upstream_that_cannot_be_reached_is_a_502_that_names_nobody_x18(url: str) -> None:
    with plain() as port:
        where = ScriptedUpstream(url=url.format(closed=closed_port(), plain=port))
        with proxying(where) as proxy:
            answers = [proxy.ask(stream=streamed) for streamed in (False, True)]

    for answer in answers:
        assert (answer.status, answer.json()["error"]["code"]) == (502, "upstream_error")
        assert b"127.0.0.1" not in answer.body
        assert b"no-such-host" not in answer.body


def test_a_connection_that_is_never_made_is_a_504_x18() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        # Linux takes one more than it is told; the next is left without an answer.
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        where = ScriptedUpstream(url=f"http://127.0.0.1:{address[1]}/v1")
        with proxying(where, connect_timeout=0.2) as proxy:
            assert proxy.ask().status == 504
        for each in waiting:
            each.close()


def test_an_upstream_that_never_reads_is_a_504() -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(5)
        where = ScriptedUpstream(url=f"http://127.0.0.1:{deaf.getsockname()[1]}/v1")
        # Spaces are no text: nothing is judged, all of it is sent.
        body = ask() + b" " * 4_000_000
        with proxying(where, **HASTE) as proxy:
            # On a machine that stalls its caller may seem to be the one who is late.
            eventually(lambda: post(proxy.url, body).status == 504)


def test_an_answer_that_comes_before_the_question_is_whole_is_the_answer(
    proxies: Proxies, api: ScriptedUpstream
) -> None:
    def early(request: RawRequest, wire: Wire) -> None:
        wire.answer({"error": {"message": "too long"}}, 413)

    api.says(early)
    answer = post(proxies.patient.url, ask() + b" " * 4_000_000)

    assert (answer.status, answer.json()["error"]["message"]) == (413, "too long")


def open_files() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def test_no_place_and_no_connection_is_kept(proxies: Proxies, api: ScriptedUpstream) -> None:
    """After any fault, many times; proxy and upstream are both of this process."""
    api.says(FINE)
    assert proxies.patient.ask().status == proxies.hasty.ask().status == 200
    before = open_files()
    for fault in FAULTS:
        if not fault.hasty:
            for streamed in (False, True):
                api.says(fault.script)
                proxies.patient.ask(stream=streamed)

    eventually(lambda: proxies.patient.metric(IN_PROGRESS) == 0)
    eventually(lambda: proxies.hasty.metric(IN_PROGRESS) == 0)
    eventually(lambda: open_files() <= before + 4, "connections are closed")
