"""One request and its answer on a connection, as ASGI has it.

The head of an answer waits for the first piece of its body, so that a small answer is one packet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope

from guardproxy.errors import RequestError
from guardproxy.proxy.headers import Headers

logger = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_PIECE = 64 * 1024
"""Bytes of an answer handed to the transport before it must have passed on most of them."""
_MOST_WAITING = 64 * 1024
"""Bytes of a body that wait for their reader before reading stops."""
# RFC 9110, 15.3.5 and 15.4.5.
_BODILESS = (204, 304)
_DISCONNECT: Message = {"type": "http.disconnect"}


def _status_line(status: int) -> bytes:
    known = {each.value for each in HTTPStatus}
    phrase = HTTPStatus(status).phrase if status in known else ""
    return b"HTTP/1.1 %d %b" % (status, phrase.encode())


_STATUS_LINES = {status: _status_line(status) for status in range(200, 600)}


class Line(Protocol):
    """The connection, as a cycle sees it."""

    write_paused: bool

    def common_headers(self) -> Headers:
        """The headers of every answer."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drained(self) -> None:
        """Until more may be written. Raises ClientGone: not while anybody would wait."""
        ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def answered(self, cycle: Cycle) -> None:
        """The answer is complete."""
        ...

    def cut(self, cycle: Cycle) -> None:
        """The answer will never be complete."""
        ...


class Cycle:
    """One request and its answer; fits `presence.Caller`.

    Args:
        line: the connection.
        scope: ASGI's.
        keep_alive: another request may follow.
        expects_continue: the caller sends his body when he is told to.
    """

    def __init__(
        self, line: Line, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        self.keep_alive = keep_alive
        self.begun = False
        self.complete = False
        self.whole = False
        """The request's body has come to its end."""
        self._line = line
        self._scope = scope
        self._expects_continue = expects_continue
        self._chunks: list[bytes] = []
        self._waiting = 0
        self._told = False
        self._late: RequestError | None = None
        self._gone = False
        self._leave: Callable[[], None] | None = None
        self._news: asyncio.Event | None = None
        self._head: Message | None = None
        self._left: int | None = None
        """Bytes of the body still to come; None: it is chunked."""

    async def run(self, app: ASGIApp) -> None:
        """Serves the request; whatever happens, the caller is not left waiting."""
        try:
            await app(self._scope, self.receive, self.send)
        except BaseException:  # nobody is above but the event loop
            logger.exception("a request ended by an error")
        if not self.complete and not self._gone:
            self._line.cut(self)
        self._scope = {}  # it names this cycle: they would keep each other

    # ---- for the application ------------------------------------------------------------------

    async def receive(self) -> Message:
        """ASGI's.

        Raises:
            RequestError: the body comes too slowly (408).
        """
        if self._expects_continue and not self.begun:
            self._expects_continue = False
            self._line.write(_CONTINUE)
        while not self._gone and not self.complete:
            if self._late is not None:
                raise self._late
            if self._chunks or (self.whole and not self._told):
                self._told = self.whole
                return {"type": "http.request", "body": self._taken(), "more_body": not self.whole}
            self._line.resume_reading()
            await self._wait()
        return _DISCONNECT

    def watch(self, leave: Callable[[], None] | None) -> None:
        """Calls this once when the caller goes, at once if he is gone."""
        self._leave = leave
        if leave is not None and self._gone:
            leave()

    async def send(self, message: Message) -> None:
        """ASGI's.

        Raises:
            ClientGone: the caller does not read what was sent before.
        """
        if self._line.write_paused and not self._gone:
            await self._line.drained()
        if self._gone:
            return
        if message["type"] == "http.response.start":
            if self.begun:
                raise RuntimeError("an answer begins once")
            self.begun = True
            self._head = message
        elif self.begun and not self.complete:
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError("a body comes after its head and before its end")

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        head = b""
        if self._head is not None:
            head = self._head_bytes(self._head["status"], self._head["headers"])
            self._head = None
        if self._scope["method"] == "HEAD":
            data, self._left = head, 0
        elif self._left is None:
            piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            data = head + piece + (b"" if more else b"0\r\n\r\n")
        else:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("a body is as long as its head says")
            data = head + body
        await self._write(data)
        if not more and not self._gone:
            self.complete = True
            self._tell()
            self._line.answered(self)

    async def _write(self, data: bytes) -> None:
        """In pieces: what the transport holds is paid for by nobody, and nobody is waited for."""
        if len(data) <= _PIECE:
            self._line.write(data)
            return
        for start in range(0, len(data), _PIECE):
            if self._line.write_paused and not self._gone:
                await self._line.drained()
            if self._gone:
                return
            self._line.write(data[start : start + _PIECE])

    def _head_bytes(self, status: int, headers: Headers) -> bytes:
        lines, closes = [_STATUS_LINES[status]], False
        for name, value in (*self._line.common_headers(), *headers):
            if name == b"content-length":
                self._left = int(value)
            elif name == b"connection":
                closes = closes or b"close" in value.lower()
            lines.append(b"%b: %b" % (name, value))
        lines += self._framing(status)
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        head = b"\r\n".join([*lines, b"\r\n"])
        if not head.count(b"\n") == head.count(b"\r") == len(lines) + 1:
            raise RuntimeError("a header holds the end of a line")
        return head

    def _framing(self, status: int) -> list[bytes]:
        """Of a body whose length nobody has told."""
        if self._left is not None or self._scope["method"] == "HEAD":
            return []
        if status in _BODILESS:
            self._left = 0
            return []
        return [b"transfer-encoding: chunked"]

    # ---- for the connection -------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """A piece of the request's body; of no use when it is answered already."""
        if self.complete:
            return
        self._chunks.append(data)
        self._waiting += len(data)
        if self._waiting > _MOST_WAITING:
            self._line.pause_reading()
        self._tell()

    def end(self) -> None:
        """The request's body is whole."""
        self.whole = True
        self._tell()

    def is_late(self, error: RequestError) -> None:
        """The request's body comes too slowly."""
        self._late = error
        self._tell()

    def lose(self) -> None:
        """The caller is gone."""
        if not self.complete:
            self._gone = True
            if self._leave is not None:
                self._leave()
        self._tell()

    def _taken(self) -> bytes:
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        # Also when nothing more of the body is to come: else nobody would hear the caller leave.
        self._line.resume_reading()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _tell(self) -> None:
        if self._news is not None:
            self._news.set()

    async def _wait(self) -> None:
        self._news = self._news or asyncio.Event()
        await self._news.wait()
        self._news.clear()
