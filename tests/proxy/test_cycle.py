"""One request and its answer, without a connection: what is written, and what may not be."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from guardproxy.errors import RequestError
from guardproxy.proxy.cycle import Cycle
from guardproxy.proxy.headers import Headers

HEAD: Message = {"type": "http.response.start", "status": 200, "headers": []}


class Line:
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        self.write_paused = False
        self.written: list[bytes] = []
        self.events: list[str] = []

    def common_headers(self) -> Headers:
        return [(b"date", b"today")]

    def write(self, data: bytes) -> None:
        self.written.append(data)

    async def drained(self) -> None:
        self.events.append("waited")
        self.write_paused = False

    def pause_reading(self) -> None:
        self.events.append("paused")

    def resume_reading(self) -> None:
        self.events.append("resumed")

    def answered(self, cycle: Cycle) -> None:
        self.events.append("answered")

    def cut(self, cycle: Cycle) -> None:
        self.events.append("cut")


def made(line: Line, method: str = "POST", *, expects: bool = False) -> Cycle:
    return Cycle(line, {"method": method}, keep_alive=True, expects_continue=expects)


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_small_answer_is_one_write() -> None:
    line = Line()
    cycle = made(line)
    await cycle.send({**HEAD, "headers": [(b"content-length", b"2")]})
    assert not line.written
    await cycle.send(body(b"ab"))

    assert line.written == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\nab"]
    assert line.events == ["answered"]
    assert cycle.complete


async def test_a_body_without_a_length_is_chunked() -> None:
    line = Line()
    cycle = made(line)
    await cycle.send(HEAD)
    await cycle.send(body(b"ab", more=True))
    await cycle.send(body(b""))

    assert b"transfer-encoding: chunked" in line.written[0]
    assert b"".join(line.written).endswith(b"2\r\nab\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("length", "pieces"),
    [(b"1", [body(b"ab")]), (b"3", [body(b"ab")]), (b"1", [body(b"a", more=True), body(b"b")])],
)
async def test_a_body_is_as_long_as_its_head_says(length: bytes, pieces: list[Message]) -> None:
    cycle = made(Line())
    await cycle.send({**HEAD, "headers": [(b"content-length", length)]})
    for piece in pieces[:-1]:
        await cycle.send(piece)

    with pytest.raises(RuntimeError):
        await cycle.send(pieces[-1])


async def test_a_header_cannot_become_two() -> None:
    line = Line()
    cycle = made(line)
    await cycle.send({**HEAD, "headers": [(b"a", b"b\r\nc: d")]})

    with pytest.raises(RuntimeError):
        await cycle.send(body(b""))
    assert not line.written


@pytest.mark.parametrize("first", [body(b"")["type"], "http.response.trailers"])
async def test_an_answer_begins_with_its_head(first: str) -> None:
    with pytest.raises(RuntimeError):
        await made(Line()).send({"type": first})


async def test_an_answer_begins_once() -> None:
    cycle = made(Line())
    await cycle.send(HEAD)

    with pytest.raises(RuntimeError):
        await cycle.send(HEAD)


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_has_no_framing(status: int) -> None:
    line = Line()
    cycle = made(line)
    await cycle.send({**HEAD, "status": status})
    await cycle.send(body(b""))

    assert b"transfer-encoding" not in line.written[0]


async def test_a_closing_answer_is_the_last() -> None:
    line = Line()
    cycle = made(line)
    await cycle.send({**HEAD, "headers": [(b"connection", b"Close")]})
    await cycle.send(body(b""))

    assert not cycle.keep_alive


async def test_writing_waits_for_a_caller_who_is_slow() -> None:
    line = Line()
    line.write_paused = True
    await made(line).send(HEAD)

    assert line.events == ["waited"]


async def test_a_late_body_is_told_to_who_asks_for_it() -> None:
    cycle = made(Line())
    cycle.is_late(RequestError("late", status=408))

    with pytest.raises(RequestError):
        await cycle.receive()


async def test_pieces_of_a_body_come_together_and_the_leaving_last() -> None:
    line = Line()
    cycle = made(line, expects=True)
    cycle.feed(b"ab")
    cycle.feed(b"c")
    cycle.end()

    assert await cycle.receive() == {
        "type": "http.request", "body": b"abc", "more_body": False,
    }  # fmt: skip
    assert line.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    leaving = asyncio.get_running_loop().create_task(cycle.receive())
    await asyncio.sleep(0)
    cycle.lose()
    assert (await leaving)["type"] == "http.disconnect"


async def test_who_is_gone_is_told_of_at_once_and_written_to_no_more() -> None:
    line, told = Line(), []
    cycle = made(line)
    cycle.watch(lambda: told.append("then"))
    cycle.lose()
    cycle.watch(lambda: told.append("at once"))
    await cycle.send(HEAD)
    await cycle.send(body(b"a"))

    assert told == ["then", "at once"]
    assert not line.written


async def test_an_application_that_fails_or_forgets_is_cut() -> None:
    async def fails(_: Scope, receive: Receive, send: Send) -> None:
        raise LookupError

    async def forgets(_: Scope, receive: Receive, send: Send) -> None:
        await send(HEAD)

    for app in (fails, forgets):
        line = Line()
        await made(line).run(app)
        assert line.events == ["cut"]
