"""Answers in a coding nobody asked for: refused, unread, and not at the price of memory.

Names carry the rows of the list of bad inputs that they answer (C7, C8, S25).
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests import servers
from tests.e2e.conftest import Proxy
from tests.processes import Running, serving
from tests.servers import ScriptedUpstream, ask, delta, post, said

SECRET = "It rained on the hills this morning."
WHOLE = json.dumps(said(SECRET)).encode()
STREAM = delta(SECRET) + delta(None, finish="stop") + servers.DONE
MIB = 1024 * 1024

CODED = [
    pytest.param([("Content-Encoding", "gzip")], gzip.compress, id="gzip"),
    pytest.param([("Content-Encoding", "x-gzip")], gzip.compress, id="x-gzip"),
    pytest.param([("Content-Encoding", "deflate")], zlib.compress, id="deflate"),
    pytest.param([("Content-Encoding", "br")], bytes, id="br, not so coded"),
    pytest.param([("Content-Encoding", "zstd")], bytes, id="zstd, not so coded"),
    pytest.param([("Content-Encoding", "identity, gzip")], gzip.compress, id="two in one header"),
    pytest.param(
        [("Content-Encoding", "identity"), ("Content-Encoding", "gzip")],
        gzip.compress,
        id="two headers",
    ),
]
KINDS = pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])


@KINDS
@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize(("headers", "code"), CODED)
def test_c8_s25_a_coded_answer_is_refused_unread(
    proxy: Proxy,
    headers: list[tuple[str, str]],
    code: Callable[[bytes], bytes],
    status: int,
    kind: str,
) -> None:
    body = code(STREAM if "event" in kind else WHOLE)
    proxy.api.says(lambda _, wire: wire.answer(body, status, headers, content_type=kind))

    answer = proxy.ask(stream="event" in kind)

    assert answer.status == 502
    assert "compressed answer" in answer.json()["error"]["message"]
    assert answer.header(b"content-encoding") is None
    assert body not in answer.body
    assert SECRET.encode() not in answer.body


@KINDS
def test_c8_a_coded_answer_that_does_not_say_so_is_not_passed_on(proxy: Proxy, kind: str) -> None:
    body = gzip.compress(STREAM if "event" in kind else WHOLE)
    proxy.api.says(lambda _, wire: wire.answer(body, content_type=kind))

    answer = proxy.ask(stream="event" in kind)

    assert answer.status == 502
    assert body not in answer.body


def test_c8_a_transfer_in_another_coding_is_no_answer(proxy: Proxy) -> None:
    body = gzip.compress(WHOLE)
    proxy.api.says(
        lambda _, wire: wire.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: gzip, chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        )
    )

    answer = proxy.ask()

    assert answer.status == 502
    assert body not in answer.body


@pytest.mark.parametrize("coding", ["identity", "Identity", ""])
def test_c8_the_coding_that_is_none_passes(proxy: Proxy, coding: str) -> None:
    headers = [("Content-Encoding", coding)]
    proxy.api.says(lambda _, wire: wire.answer(WHOLE, 200, headers))

    answer = proxy.ask()

    assert (answer.status, answer.body) == (200, WHOLE)
    assert answer.header(b"content-encoding") is None


def test_c8_nothing_but_identity_is_asked_for(proxy: Proxy) -> None:
    proxy.api.says(said(SECRET))
    post(proxy.url, ask(), headers=[("Accept-Encoding", "gzip, br, zstd")])

    accepted = [value for name, value in proxy.api.last.headers if name == b"accept-encoding"]
    assert accepted == [b"identity"]


def peak(running: Running) -> int:
    """The most bytes of memory the process has ever held."""
    status = Path(f"/proc/{running.process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def bombs() -> Iterable[tuple[str, bytes]]:
    """200 MiB of one byte, in the codings that the standard library writes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = bytes(MIB)
    yield "gzip", b"".join(packer.compress(piece) for _ in range(200)) + packer.flush()
    packer = zlib.compressobj(9)
    yield "deflate", b"".join(packer.compress(piece) for _ in range(200)) + packer.flush()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' own figures")
def test_c7_a_bomb_is_never_unpacked(api: ScriptedUpstream) -> None:
    with serving("--upstream", api.url) as running:
        url = running.ready().url
        api.says(said(SECRET))
        assert post(url, ask()).status == 200
        before = peak(running)
        for coding, bomb in bombs():
            headers = [("Content-Encoding", coding)]
            for kind in ("application/json", "text/event-stream"):
                api.says(lambda _, wire: wire.answer(bomb, 200, headers, content_type=kind))  # noqa: B023 - used before the loop goes on
                assert post(url, ask(stream="event" in kind)).status == 502
            # As a request's body, too.
            assert post(url, bomb, headers=headers).status == 415

        assert peak(running) - before < 64 * MIB
