"""A connection is bounded before its request begins, over real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from guardproxy.cli.serve import server_config
from guardproxy.proxy.connection import BoundedProtocol
from guardproxy.settings import Settings
from tests import servers
from tests.servers import connect, eventually, read_answer, served

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
BOUND = 3_000


class Hasty(BoundedProtocol):
    """Waits for a head for no longer than a test does."""

    head_seconds = 0.2


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the names of the headers; at `/slow`, begins and waits for the caller."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
    if scope["path"] == "/slow":
        await receive()
    names = [name.decode() for name, _ in scope["headers"]]
    await send({"type": "http.response.body", "body": json.dumps(names).encode()})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(echo) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(request: pytest.FixtureRequest) -> Iterator[str]:
    def config(app: object, settings: Settings) -> uvicorn.Config:
        made = server_config(echo, settings)
        made.http = Hasty
        made.h11_max_incomplete_event_size = BOUND
        made.timeout_keep_alive = 1
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "server_config", config)
        with served(echo) as running:
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
        connection.settimeout(0.6)
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
def test_what_has_no_end_is_cut_off(hasty: str, endless: bytes) -> None:
    with connect(hasty) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(endless + b"a" * BOUND * 2)
        answer = read_answer(connection)

        assert (answer.status, answer.json()["error"]["code"]) == (431, "headers_too_large")
        assert answer.header(b"connection") == b"close"


def test_a_long_body_in_small_pieces_is_not_a_long_head(hasty: str) -> None:
    with connect(hasty) as connection:
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
