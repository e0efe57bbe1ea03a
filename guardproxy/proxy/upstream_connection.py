"""One connection to the LLM API: an HTTP/1.1 client on httptools' parser, one exchange at a time.

It does what a guard needs and no more: no redirects, no cookies, no compression, no proxies, no
pipelining, no upgrade. What the parser refuses, and what ends before its framing says so, is a
fault: an answer is never shorter than it was sent. Bytes beyond an answer end the connection, so
that they cannot become the next caller's answer.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable

import httptools

from guardproxy.proxy.alarm import Alarm
from guardproxy.proxy.headers import Headers

_PIECE = 256 * 1024
"""Bytes of a body handed to the transport before it must have passed on most of them."""
_MOST_UNREAD = 64 * 1024
"""Bytes that may come without completing a head or a piece of a body."""
_MOST_WAITING = 32 * 1024
"""Bytes of an answer that wait for their reader before reading stops."""
_MOST_TAKEN = 32 * 1024
"""Bytes of an answer given to its reader at once, if they came in smaller pieces."""
_READ = bytearray(32 * 1024)
"""Where every read lands, to be copied out at once: the event loop reads one connection at a time.
Handed out by the system in 256 kB, an answer that nobody takes would hold eight times as much."""
_SWITCHING = 101
_BODILESS = (204, 304)
_FRAMING = (b"transfer-encoding", b"content-length")


class BrokenAnswerError(Exception):
    """The connection ended, or said what is no HTTP, before its answer was whole.

    Its message is a fixed word and never what was said.
    """


class UpstreamConnection(asyncio.BufferedProtocol):
    """One connection; fits `upstream.Incoming` once an exchange has begun.

    Args:
        on_left: told when an exchange is over, by then `is_reusable` says whether another may be.
    """

    def __init__(self, on_left: Callable[[UpstreamConnection], None]) -> None:
        self._on_left = on_left
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set when connected
        self._parser = httptools.HttpResponseParser(self)
        self._alarm = Alarm(self._expire)
        self._waiter: asyncio.Future[None] | None = None
        self._fault: Exception | None = None
        self._write_paused = False
        self._reading_paused = False
        self._closed = False
        self._refused = ""
        self._busy = False
        self._begin()

    def _begin(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self._in_head = True
        self._to_the_end = False
        self._keep_alive = False
        self._complete = False
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._unread = 0

    # ---- for whoever asks ---------------------------------------------------------------------

    async def exchange(self, head: bytes, body: bytes, *, stall: float, until: float) -> None:
        """Sends a request; afterwards `status` and `headers` are the answer's.

        Args:
            head: request line and headers, with the empty line.
            body: as long as the head says.
            stall: seconds without progress after which sending is given up.
            until: the loop's time by which the head of the answer must be here.

        Raises:
            BrokenAnswerError, OSError: there is no answer.
            TimeoutError: not in time.
        """
        self._begin()
        self._busy = True
        if len(body) <= _PIECE:
            self._transport.write(head + body)
        else:
            await self._send(head, body, stall, until)
        while self._in_head:
            await self._wait(until)

    async def chunk(self, until: float) -> bytes:
        """What has come of the body since the last call; empty at its end.

        Raises:
            BrokenAnswerError, OSError: it broke off.
            TimeoutError: nothing came by `until`, in the loop's time.
        """
        while not self._chunks:
            if self._complete:
                return b""
            await self._wait(until)
        taken = self._taken()
        if self._reading_paused and self._waiting <= _MOST_WAITING:
            self._reading_paused = False
            self._transport.resume_reading()
        return taken

    def _taken(self) -> bytes:
        """Not more than need be: whoever passes it on holds it several times over."""
        chunks = self._chunks
        if self._waiting <= _MOST_TAKEN:
            self._chunks, self._waiting = [], 0
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        size = count = 0
        while size < _MOST_TAKEN:
            size += len(chunks[count])
            count += 1
        self._chunks, self._waiting = chunks[count:], self._waiting - size
        return b"".join(chunks[:count])

    def leave(self) -> None:
        """The exchange is over, whatever has come of the answer."""
        self._busy = False
        self._chunks = []
        if not self.is_reusable:
            self.close()
        self._on_left(self)

    @property
    def is_reusable(self) -> bool:
        """The answer is whole, the request went out, and the upstream means to go on."""
        return self._complete and self._keep_alive and not self._closed and not self._unsent()

    @property
    def is_open(self) -> bool:
        """Nobody has ended it, as far as is known."""
        return not self._closed

    @property
    def has_news(self) -> bool:
        """Something has come that the event loop has not read yet; of one that is idle, its end."""
        ours = self._transport.get_extra_info("socket")
        if sys.platform == "win32":  # pragma: no cover - where select takes any number
            return bool(select.select([ours], [], [], 0)[0])
        arrived = select.poll()
        arrived.register(ours, select.POLLIN)
        return bool(arrived.poll(0))

    @property
    def is_untouched(self) -> bool:
        """Nothing has come since the request was sent."""
        return self._unread == 0 and self._in_head

    def close(self) -> None:
        """Ends the connection; at once, if anything is still under way."""
        self._closed = True
        self._alarm.close()
        if self._complete and not self._unsent():
            self._transport.close()
        else:
            self._transport.abort()

    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size()

    async def _send(self, head: bytes, body: bytes, stall: float, until: float) -> None:
        """In pieces, so that the transport does not copy the whole.

        An answer may come before the end: the rest goes out while it is read.
        """
        self._transport.write(head)
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            if self._closed:
                return
            self._transport.write(view[start : start + _PIECE])
            while self._write_paused and self._in_head:
                await self._wait(min(until, self._loop.time() + stall))

    async def _wait(self, until: float) -> None:
        """Until something happens. A fault is told when what came before it has been read."""
        if self._fault is not None:
            raise self._fault
        self._waiter = waiter = self._loop.create_future()
        self._alarm.set(until)
        try:
            await waiter
        finally:
            self._alarm.clear()
            self._waiter = None

    def _expire(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, fault: Exception) -> None:
        """Nothing more can be read; what is complete stays so."""
        if not self._complete and self._fault is None:
            self._fault = fault
        self.close()
        self._wake()

    # ---- for the transport --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # a stream's, both ways

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        if not self._busy:
            self.close()
            return
        data = bytes(_READ[:nbytes])
        self._unread += nbytes
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(BrokenAnswerError(type(error).__name__))
            return
        if self._refused or self._unread > _MOST_UNREAD:
            self._fail(BrokenAnswerError(self._refused or "EndlessHead"))
            return
        if self._waiting > _MOST_WAITING and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        if self._to_the_end and self._fault is None:
            self._complete = True
        self._fail(BrokenAnswerError("ConnectionClosed"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or BrokenAnswerError("ConnectionClosed"))
        # It refers to the connection: they would keep each other until somebody looks for garbage.
        del self._parser

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        self._wake()

    # ---- for the parser -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            # Somebody's next answer, to which nobody has asked: it is read by nobody either.
            self._keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        # Not a trailer, which must not pass for a header (RFC 9110, 6.5.1).
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._complete:
            return
        self._unread = 0
        self.status = self._parser.get_status_code()
        if self.status < 200 and self.status != _SWITCHING:
            self.headers = []
            return
        framing = {name: value for name, value in self.headers if name in _FRAMING}
        coding = framing.get(b"transfer-encoding", b"chunked")
        if self.status == _SWITCHING or coding.lower() != b"chunked":
            self._refused = "UnreadableFraming"
            return
        self._in_head = False
        self._keep_alive = self._parser.should_keep_alive()
        self._to_the_end = not framing and self.status not in _BODILESS

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._unread = 0
            self._chunks.append(body)
            self._waiting += len(body)

    def on_message_complete(self) -> None:
        if not self._in_head:
            self._complete = True
