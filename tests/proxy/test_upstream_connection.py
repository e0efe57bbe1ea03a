"""One connection to the upstream: what it takes for an answer, and what it never does."""

from __future__ import annotations

import asyncio

import pytest

from guardproxy.proxy.upstream_connection import BrokenAnswerError, UpstreamConnection

OK = b"HTTP/1.1 200 OK\r\n"
HEAD = b"POST / HTTP/1.1\r\n\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
LONG_WAIT = 60.0


class Transport(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.ended = ""
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Line:
    """A connection, its transport, and a way to let things happen."""

    def __init__(self) -> None:
        self.left: list[UpstreamConnection] = []
        self.connection = UpstreamConnection(self.left.append)
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    def asks(self, body: bytes = b"", within: float = LONG_WAIT) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        return loop.create_task(self.connection.exchange(HEAD, body, stall=within, until=until))

    async def hears(self, *pieces: bytes) -> None:
        await asyncio.sleep(0)
        for piece in pieces:
            self.reads(piece)

    def reads(self, data: bytes) -> None:
        """As the event loop does, as much at a time as there is room for."""
        view = memoryview(data)
        while view:
            room = self.connection.get_buffer(-1)
            taken = min(len(view), len(room))
            room[:taken] = view[:taken]
            self.connection.buffer_updated(taken)
            view = view[taken:]

    async def body(self) -> bytes:
        until = asyncio.get_running_loop().time() + LONG_WAIT
        data = b""
        while chunk := await self.connection.chunk(until):
            data += chunk
        return data

    async def answer(self, *pieces: bytes, eof: bool = False) -> tuple[int, bytes]:
        asked = self.asks()
        await self.hears(*pieces)
        if eof:
            self.connection.eof_received()
        await asked
        return self.connection.status, await self.body()


def each_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (OK + b"content-length: 2\r\n\r\nab", (200, b"ab")),
        (OK + b"content-length: 0\r\n\r\n", (200, b"")),
        (CHUNKED + b"2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n", (200, b"abcde")),
        (CHUNKED + b"2\r\nab\r\n0\r\nX-Trailer: 1\r\n\r\n", (200, b"ab")),
        (b"HTTP/1.1 204 No\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 304 Not\r\ncontent-length: 9\r\n\r\n", (304, b"")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: a\r\n\r\n"
            + OK
            + b"content-length: 1\r\n\r\na",
            (200, b"a"),
        ),
    ],
    ids=["length", "nothing", "chunks", "trailer", "204", "304", "interim"],
)
async def test_an_answer_is_read_however_it_is_cut(
    sent: bytes, answer: tuple[int, bytes], *, cut: bool
) -> None:
    line = Line()

    assert await line.answer(*(each_byte(sent) if cut else [sent])) == answer
    assert line.connection.is_reusable
    assert b"link" not in dict(line.connection.headers)
    assert b"x-trailer" not in dict(line.connection.headers)


@pytest.mark.parametrize("head", [OK, OK.replace(b"1.1", b"1.0")])
async def test_an_answer_without_a_length_lasts_to_the_end_of_its_connection(head: bytes) -> None:
    line = Line()

    assert await line.answer(head + b"\r\nab", b"cd", eof=True) == (200, b"abcd")
    assert not line.connection.is_reusable


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        OK,
        OK + b"content-length: 3\r\n\r\nab",
        CHUNKED + b"2\r\nab\r\n",
        CHUNKED + b"2\r\nab\r\n0\r\n",
    ],
)
async def test_an_answer_that_ends_early_is_none(sent: bytes) -> None:
    line = Line()

    with pytest.raises(BrokenAnswerError, match="ConnectionClosed"):
        await line.answer(sent, eof=True)


async def test_what_came_before_a_fault_is_read_first() -> None:
    line, until = Line(), asyncio.get_running_loop().time() + LONG_WAIT
    asked = line.asks()
    await line.hears(CHUNKED + b"2\r\nab\r\n")
    line.connection.connection_lost(ConnectionResetError())
    await asked

    assert await line.connection.chunk(until) == b"ab"
    with pytest.raises(ConnectionResetError):
        await line.connection.chunk(until)


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        OK + b"transfer-encoding: gzip\r\n\r\nab",
        OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n",
        OK + b"content-length: 1\r\ncontent-length: 1\r\n\r\na",
        OK + b"content-length: 1, 1\r\n\r\na",
        OK + b"content-length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\ncontent-length: 1\n\na",
        OK + b"x: a\r\n b\r\ncontent-length: 1\r\n\r\na",
        OK + b"content-length : 1\r\n\r\na",
        OK + b"x: a\x00b\r\n\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"2\nab\n0\n\n",
        CHUNKED + b"2\r\nabX\r\n",
        CHUNKED + b"fffffffffffffffff\r\n",
    ],
)
async def test_what_two_readers_could_read_differently_is_a_fault(sent: bytes) -> None:
    line = Line()

    with pytest.raises(BrokenAnswerError):
        await line.answer(sent)
    assert line.transport.ended == "aborted"


@pytest.mark.parametrize(
    "beyond", [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb", b"HTTP", b"garbage"]
)
@pytest.mark.parametrize("apart", [False, True])
async def test_bytes_beyond_an_answer_end_the_connection(beyond: bytes, *, apart: bool) -> None:
    line, sent = Line(), OK + b"content-length: 1\r\n\r\na"
    pieces = [sent, beyond] if apart else [sent + beyond]

    assert await line.answer(*pieces) == (200, b"a")
    assert line.connection.headers == [(b"content-length", b"1")]
    assert not line.connection.is_reusable
    line.connection.leave()
    assert line.transport.ended


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    line = Line()
    await line.answer(OK + b"content-length: 1\r\n\r\na")
    line.connection.leave()
    assert line.transport.ended == ""

    await line.hears(OK + b"content-length: 1\r\n\r\nb")

    assert line.transport.ended == "closed"


async def test_an_upstream_that_says_close_is_left_for_good() -> None:
    line = Line()
    await line.answer(OK + b"connection: close\r\ncontent-length: 1\r\n\r\na")
    line.connection.leave()

    assert (line.transport.ended, line.left) == ("closed", [line.connection])
    assert not line.connection.is_open


async def test_an_answer_that_is_left_early_ends_at_once() -> None:
    line = Line()
    asked = line.asks()
    await line.hears(CHUNKED + b"2\r\nab\r\n")
    await asked
    line.connection.leave()

    assert line.transport.ended == "aborted"


async def test_a_connection_is_used_again_as_if_it_were_new() -> None:
    line = Line()
    for number in (b"1", b"2"):
        assert await line.answer(OK + b"content-length: 1\r\n\r\n" + number) == (200, number)
        line.connection.leave()

    assert line.connection.headers == [(b"content-length", b"1")]
    assert line.transport.written == HEAD * 2


async def test_a_head_without_end_is_a_fault() -> None:
    line = Line()

    with pytest.raises(BrokenAnswerError, match="EndlessHead"):
        await line.answer(OK, *[b"x: " + b"a" * 1_000 + b"\r\n"] * 70)


async def test_trailers_without_end_are_a_fault() -> None:
    line = Line()

    with pytest.raises(BrokenAnswerError, match="EndlessHead"):
        await line.answer(CHUNKED + b"0\r\n", *[b"x: " + b"a" * 1_000 + b"\r\n"] * 70)


async def test_reading_stops_while_nobody_takes_what_came() -> None:
    line = Line()
    asked = line.asks()
    room = len(line.connection.get_buffer(-1))
    text = b"a" * 2 * room
    await line.hears(OK + b"content-length: %d\r\n\r\n" % (len(text) + 1), text)
    await asked
    assert not line.transport.reading

    until = asyncio.get_running_loop().time() + LONG_WAIT
    pieces = [await line.connection.chunk(until) for _ in range(2)]
    assert b"".join(pieces) == text
    assert line.transport.reading


async def test_a_large_body_goes_out_as_fast_as_it_is_taken() -> None:
    line, body = Line(), bytes(range(256)) * 4_096
    line.connection.pause_writing()
    asked = line.asks(body)
    await asyncio.sleep(0)
    assert len(line.transport.written) < len(body)

    line.connection.resume_writing()
    await line.hears(OK + b"content-length: 1\r\n\r\na")
    await asked

    assert line.transport.written == HEAD + body
    assert await line.body() == b"a"


async def test_an_answer_may_come_before_the_whole_body_went_out() -> None:
    line, body = Line(), b"a" * 1_000_000
    line.connection.pause_writing()
    asked = line.asks(body)
    await line.hears(OK + b"content-length: 1\r\n\r\na")
    line.transport.unsent = 500_000
    await asked

    assert line.transport.written == HEAD + body
    assert await line.body() == b"a"
    assert not line.connection.is_reusable
    line.connection.leave()
    assert line.transport.ended == "aborted"


async def test_an_upstream_that_takes_nothing_more_is_given_up() -> None:
    line = Line()
    line.connection.pause_writing()

    with pytest.raises(TimeoutError):
        await line.asks(b"a" * 1_000_000, within=0.01)


async def test_a_connection_that_ends_while_sending_is_a_fault() -> None:
    line = Line()
    line.connection.pause_writing()
    asked = line.asks(b"a" * 1_000_000)
    await asyncio.sleep(0)
    line.connection.connection_lost(None)

    with pytest.raises(BrokenAnswerError):
        await asked
    assert len(line.transport.written) < 1_000_000


async def test_an_answer_before_the_end_of_a_connection_that_takes_no_more_is_read() -> None:
    line = Line()
    line.connection.pause_writing()
    asked = line.asks(b"a" * 1_000_000)
    await line.hears(b"HTTP/1.1 413 Large\r\ncontent-length: 2\r\n\r\nno")
    line.connection.connection_lost(ConnectionResetError())
    await asked

    assert (line.connection.status, await line.body()) == (413, b"no")


async def test_waiting_has_an_end() -> None:
    line = Line()

    with pytest.raises(TimeoutError):
        await line.asks(within=0.01)


async def test_what_comes_in_the_moment_of_the_deadline_is_no_error() -> None:
    line = Line()
    loop = asyncio.get_running_loop()
    asked = line.asks()
    await line.hears(OK + b"content-length: 1\r\n\r\n")
    await asked
    line.connection._waiter = loop.create_future()
    line.connection._waiter.set_result(None)
    line.reads(b"a")

    assert await line.body() == b"a"


async def test_what_waits_is_given_in_pieces_of_which_none_is_lost() -> None:
    left: list[UpstreamConnection] = []
    connection = UpstreamConnection(left.append)
    pieces = [b"%05d" % number * 2_000 for number in range(20)]
    for piece in pieces:
        connection.on_body(piece)
    connection._complete = True

    taken = []
    while chunk := await connection.chunk(0.0):
        taken.append(chunk)

    assert b"".join(taken) == b"".join(pieces)
    assert [len(chunk) for chunk in taken] == [40_000] * 5
