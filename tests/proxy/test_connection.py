"""A connection is bounded before its request begins, over real sockets."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from guardproxy.cli.server import server_config
from guardproxy.errors import RequestError
from guardproxy.proxy.bounds import SLOWEST_BYTES, Bounds
from guardproxy.proxy.presence import ClientGone
from guardproxy.settings import Settings
from tests import servers
from tests.servers import as_it_ends, connect, eventually, read_answer, served

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
BOUND = 3_000
HASTY = Bounds(
    unread_bytes=BOUND, idle_seconds=2.0, body_seconds=5.0, head_seconds=1.0, grace_seconds=0.3
)
"""Waits for no longer than a test does, and for longer than a machine stalls."""
NARROW = Bounds(
    unread_bytes=BOUND, idle_seconds=20, body_seconds=20, head_seconds=20, grace_seconds=20
)
"""Takes no more at once, and waits."""


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Its paths are the ways an application may go on."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    try:
        await WAYS.get(scope["path"], tell_headers)(scope, receive, send)
    except RequestError as error:
        await say(send, str(error).encode(), error.status)


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def begin(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def tell_headers(scope: Scope, receive: Receive, send: Send) -> None:
    """The names of the headers, in two pieces."""
    await read(receive)
    await begin(send)
    await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
    if scope["path"] == "/slow":
        await receive()
    names = [name.decode() for name, _ in scope["headers"]]
    await send({"type": "http.response.body", "body": json.dumps(names).encode()})


async def give_back(_: Scope, receive: Receive, send: Send) -> None:
    await say(send, await read(receive))


async def leave_unread(_: Scope, receive: Receive, send: Send) -> None:
    await say(send, b"")


async def leave_unfinished(_: Scope, receive: Receive, send: Send) -> None:
    await begin(send)


async def fail(_: Scope, receive: Receive, send: Send) -> None:
    raise LookupError


async def say(send: Send, body: bytes, status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


LEFT: list[int] = []
"""How much was sent when a caller who does not read counted as gone."""


async def flood(_: Scope, receive: Receive, send: Send) -> None:
    sent = 0
    await begin(send)
    try:
        while True:
            await send({"type": "http.response.body", "body": b"a" * 65_536, "more_body": True})
            sent += 65_536
    except ClientGone:
        LEFT.append(sent)


WAYS = {
    "/short": give_back,
    "/unread": leave_unread,
    "/cut": leave_unfinished,
    "/fails": fail,
    "/flood": flood,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(echo) as running:
        yield running


@contextlib.contextmanager
def served_within(bounds: Bounds) -> Iterator[str]:
    def config(app: object, settings: Settings) -> uvicorn.Config:
        made = server_config(echo, settings)
        made.bounds = bounds
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "server_config", config)
        with served(echo) as running:
            yield running


@pytest.fixture(scope="module")
def hasty() -> Iterator[str]:
    with served_within(HASTY) as running:
        yield running


@pytest.fixture(scope="module")
def narrow() -> Iterator[str]:
    with served_within(NARROW) as running:
        yield running


def is_closed(connection: socket.socket) -> bool:
    """Waits until the other side closes; whatever it says first is left aside."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(65_536):
            pass
    return True


@pytest.mark.parametrize(
    "begin",
    [b"", b"\r\n", HEAD, HEAD + b"X-A: ", b"GET"],
    ids=["none", "empty", "half", "name", "word"],
)
def test_a_head_that_does_not_come_is_not_waited_for_x14(hasty: str, begin: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(begin)

        assert is_closed(connection)


def test_a_head_that_drips_is_not_waited_for_x14(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD)

        def dripped_out() -> bool:
            try:
                connection.sendall(b"X-A: b\r\n")
            except OSError:
                return True
            return False

        eventually(dripped_out, "the end of the connection")


def test_the_next_head_on_a_connection_is_not_waited_for_either(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + b"Content-Length: 0\r\n\r\n")
        assert read_answer(connection).status == 200
        connection.sendall(HEAD)

        assert is_closed(connection)


def test_an_answer_that_takes_long_is_waited_for(hasty: str) -> None:
    """The next head may begin meanwhile; its time has not come."""
    with connect(hasty) as connection:
        connection.sendall(HEAD.replace(b" /", b" /slow") + b"Content-Length: 0\r\n\r\n")
        received = b""
        while b"begun" not in received:
            received += connection.recv(1_000)
        connection.settimeout(HASTY.head_seconds + 0.4)
        with pytest.raises(TimeoutError):
            connection.recv(1_000)


@pytest.mark.parametrize(
    "endless",
    [
        HEAD + b"X-A: " + b"a" * BOUND,
        b"POST /" + b"a" * BOUND,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * BOUND * 2,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: " + b"a" * BOUND * 2,
    ],
    ids=["header", "target", "extension", "trailer"],
)
def test_what_has_no_end_is_cut_off(narrow: str, endless: bytes) -> None:
    with connect(narrow) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(endless + b"a" * BOUND * 2)
        answer = read_answer(connection)

        assert (answer.status, answer.json()["error"]["code"]) == (431, "headers_too_large")
        assert answer.header(b"connection") == b"close"


def test_a_long_body_in_small_pieces_is_not_a_long_head(narrow: str) -> None:
    with connect(narrow) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(BOUND):
            connection.sendall(b"1\r\na\r\n")
        connection.sendall(b"0\r\n\r\n")

        assert read_answer(connection).status == 200


def test_fields_after_a_body_are_no_headers(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: x\r\n\r\n"
        )
        answer = read_answer(connection)

        assert answer.body == b'begun ["host", "transfer-encoding"]'


def test_two_requests_on_one_connection_have_their_own_headers(url: str) -> None:
    with connect(url) as connection:
        for name in (b"x-one", b"x-two"):
            connection.sendall(HEAD + name + b": 1\r\nContent-Length: 0\r\n\r\n")

            assert name in read_answer(connection).body


def test_what_is_not_http_is_a_400_in_json(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = read_answer(connection)

    assert (answer.status, answer.json()["error"]["code"]) == (400, "invalid_http")
    assert answer.header(b"content-type") == b"application/json"


def test_garbage_after_a_request_is_not_answered_within_its_answer(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(HEAD.replace(b" /", b" /slow") + b"Content-Length: 0\r\n\r\n")
        received = b""
        while b"begun" not in received:
            received += connection.recv(1_000)
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(1_000):
                received += piece

    assert received.count(b"HTTP/1.1") == 1
    assert b"invalid_http" not in received


# ---- bodies -----------------------------------------------------------------------------------


CHUNKED = HEAD.replace(b" /", b" /short") + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("begin", [b"", b"1\r\na\r\n", b"5\r\nab"])
def test_a_body_that_falls_silent_is_408(hasty: str, begin: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(CHUNKED + begin)

        assert read_answer(connection).status == 408


def test_a_body_that_drips_is_408_x14(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(CHUNKED)
        connection.setblocking(False)

        def answered() -> bool:
            try:
                connection.sendall(b"1\r\na\r\n")
                return bool(connection.recv(1_000, socket.MSG_PEEK))
            except BlockingIOError:
                return False

        eventually(answered, "an answer")
        connection.setblocking(True)
        assert read_answer(connection).status == 408


def test_what_has_come_earns_time_for_the_rest(hasty: str) -> None:
    with connect(hasty) as connection:
        body = b"a" * 2 * SLOWEST_BYTES
        connection.sendall(CHUNKED + b"%x\r\n%b\r\n" % (len(body), body))
        time.sleep(0.6)
        connection.sendall(b"0\r\n\r\n")
        answer = read_answer(connection)

    assert (answer.status, answer.body) == (200, body)


def test_a_body_that_nobody_wants_any_more_ends_with_its_connection(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(CHUNKED.replace(b"/short", b"/unread"))
        assert read_answer(connection).status == 200

        assert is_closed(connection)


@pytest.mark.parametrize("size", [1, 65_537, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_any_size_is_read_whole(url: str, size: int, *, chunked: bool) -> None:
    body = b"ab" * (size // 2) + b"c" * (size % 2)
    head = HEAD.replace(b" /", b" /short")
    with connect(url) as connection:
        if chunked:
            connection.sendall(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (size, body))
        else:
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % size + body)

        assert read_answer(connection).body == body


def test_a_caller_who_asks_first_is_told_to_go_on(url: str) -> None:
    head = HEAD.replace(b" /", b" /short") + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    with connect(url) as connection:
        connection.sendall(head)
        told = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.recv(len(told)) == told
        connection.sendall(b"a")

        assert read_answer(connection).body == b"a"


def test_a_caller_who_asks_first_may_be_answered_instead(url: str) -> None:
    head = HEAD.replace(b" /", b" /unread") + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    with connect(url) as connection:
        connection.sendall(head)

        assert connection.recv(12) == b"HTTP/1.1 200"


# ---- answers ----------------------------------------------------------------------------------


def short(body: bytes, more: bytes = b"") -> bytes:
    head = HEAD.replace(b" /", b" /short") + more
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_requests_that_come_at_once_are_answered_in_turn(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(b"".join(short(b"<%d>" % number) for number in range(20)))
        received = b""
        while b"<19>" not in received:
            received += connection.recv(65_536)

    assert re.findall(rb"<(\d+)>", received) == [b"%d" % number for number in range(20)]


def test_a_request_that_waits_for_its_turn_may_still_be_coming(hasty: str) -> None:
    """Its body has its own time, and is late by itself."""
    with connect(hasty) as connection:
        connection.sendall(HEAD.replace(b" /", b" /slow") + b"Content-Length: 0\r\n\r\n")
        connection.sendall(short(b"ab")[:-1])
        received = b""
        while b"begun" not in received:
            received += connection.recv(1_000)
        connection.settimeout(0.6)
        with pytest.raises(TimeoutError):
            connection.recv(1_000)


@pytest.mark.parametrize("how", [b"Connection: close\r\n", b""])
def test_a_last_request_is_answered_and_what_follows_is_not(url: str, how: bytes) -> None:
    first = short(b"1", how) if how else short(b"1").replace(b"HTTP/1.1", b"HTTP/1.0")
    with connect(url) as connection:
        connection.sendall(first + short(b"2"))
        answer = read_answer(connection)

        assert (answer.body, answer.header(b"connection")) == (b"1", b"close")
        assert connection.recv(1) == b""


def test_a_head_request_gets_a_head(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(short(b"").replace(b"POST", b"HEAD"))
        answer = read_answer(connection, "HEAD")
        connection.sendall(short(b"next"))

        assert (answer.status, read_answer(connection).body) == (200, b"next")


def test_a_connection_nobody_uses_is_closed(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(short(b"a"))
        assert read_answer(connection).status == 200

        assert connection.recv(1) == b""


def test_an_application_that_fails_is_a_500(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(short(b"").replace(b"/short", b"/fails"))
        answer = read_answer(connection)

    assert (answer.status, answer.json()["error"]["code"]) == (500, "internal_error")


def test_an_answer_that_is_not_finished_is_cut(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(short(b"").replace(b"/short", b"/cut"))

        assert read_answer(connection).status == 0


def test_a_caller_who_does_not_read_is_gone(hasty: str) -> None:
    LEFT.clear()
    with connect(hasty) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(short(b"").replace(b"/short", b"/flood"))
        eventually(lambda: LEFT, "giving up")

    assert LEFT[0] < 20_000_000


@pytest.mark.parametrize(
    "target", [b"http://elsewhere.test/short", b"/sh%6frt?a=b"], ids=["absolute", "encoded"]
)
def test_a_target_is_its_path(url: str, target: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(short(b"a").replace(b"/short", target))

        assert read_answer(connection).body == b"a"


@pytest.mark.parametrize("line", [b"CONNECT a:1", b"GET http://a"])
def test_a_target_without_a_path_is_a_400(url: str, line: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(HEAD.replace(b"POST /", line) + b"\r\n")

        assert read_answer(connection).status == 400


def test_a_connection_does_not_become_another_protocol(url: str) -> None:
    upgrade = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    with connect(url) as connection:
        connection.sendall(short(b"", upgrade) + b"\x81\x05hello")
        assert read_answer(connection).status == 200

        assert connection.recv(1) == b""


def test_a_server_that_ends_answers_what_it_was_asked() -> None:
    with contextlib.ExitStack() as stack:
        with served(echo) as running:
            busy, idle = (stack.enter_context(connect(running)) for _ in range(2))
            busy.sendall(short(b"ab")[:-1])
            idle.sendall(short(b"a"))
            assert read_answer(idle).status == 200
            as_it_ends(running, partial(busy.sendall, b"b"))
        answer = read_answer(busy)
        assert (answer.body, answer.header(b"connection")) == (b"ab", b"close")
        assert idle.recv(1) == b""
