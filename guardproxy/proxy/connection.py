"""One connection of a caller: HTTP/1.1 on httptools' parser, with a bound on whatever may be late.

uvicorn runs the server (sockets, signals, start and end); this stands where its own protocol would.
Half a head would keep a connection, a head without end its memory, for ever; and fields after a
chunked body would pass for headers of the request, which RFC 9110, 6.5.1 forbids.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast
from urllib.parse import unquote

import httptools
from starlette.types import ASGIApp, Scope
from uvicorn import Config
from uvicorn.server import ServerState

from guardproxy.errors import RequestError
from guardproxy.proxy import responses
from guardproxy.proxy.alarm import Alarm
from guardproxy.proxy.body import too_slow
from guardproxy.proxy.bounds import Bounds
from guardproxy.proxy.cycle import Cycle
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.presence import CALLER, ClientGone

_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 500: b"Error"}
_LAST_HEAD_SECONDS = 1.0
"""From the end of serving to the end of a head that may be on its way."""
_MOST_IN_TURN = 8
"""Requests sent ahead of an answer. When no more are read, nobody hears the caller leave."""


class BoundedConfig(Config):
    """uvicorn's configuration, and the bounds of a connection."""

    bounds: Bounds


class BoundedProtocol(asyncio.Protocol):
    """Fits uvicorn's `http`, for a `BoundedConfig`, and `cycle.Line`."""

    def __init__(
        self,
        config: BoundedConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        del app_state  # ours keeps its own
        self._app: ASGIApp = cast("ASGIApp", config.loaded_app)  # as starlette types it
        self._bounds = config.bounds
        self._server = server_state
        self._loop = _loop or asyncio.get_running_loop()
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # set when connected
        self._parser: httptools.HttpRequestParser = httptools.HttpRequestParser(self)
        # What follows a last request is dropped when it is answered, and is no fault of that one.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._scope: Scope = {}
        self._cycles: deque[Cycle] = deque()
        """Those not answered yet: the first is being answered, the last is being read."""
        self._last: Cycle | None = None
        self._in_head = True
        self._head_begun = True
        self._deaf = False
        self._ending = False
        self._unread = 0
        self._body_begun = 0.0
        self._body_bytes = 0
        self._reading_paused = False
        self._writable: asyncio.Event | None = None
        self._alarm = Alarm(self._is_late)
        self.write_paused = False
        self.on_message_begin()

    # ---- for the transport --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # a stream's, both ways
        self._server.connections.add(self)  # type: ignore[arg-type] # any with `shutdown` fits
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "root_path": "",
            "client": tuple(peer[:2]) if isinstance(peer, tuple) else None,
            "server": tuple(own[:2]) if isinstance(own, tuple) else None,
        }
        self._alarm.set(self._loop.time() + self._bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # whatever it was, nobody is there any more
        self._server.connections.discard(self)
        self._alarm.close()
        for cycle in self._cycles:
            cycle.lose()
        self._cycles.clear()
        self.resume_writing()
        self._deaf = True
        # What refers to the connection would keep it until somebody looks for garbage.
        self._last = None
        del self._parser

    def data_received(self, data: bytes) -> None:
        # In pieces: what one read holds behind the end of a head is counted as well.
        step = self._bounds.unread_bytes
        for start in range(0, len(data), step):
            if self._deaf or self._transport.is_closing():
                return
            self._receive(data if len(data) <= step else data[start : start + step])

    def _receive(self, data: bytes) -> None:
        self._unread += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # What follows would be of another protocol, which nobody here speaks.
            self._deaf = True
        except httptools.HttpParserError:
            self._refuse(RequestError("the request is not valid HTTP/1.1", code="invalid_http"))
            return
        if self._unread > self._bounds.unread_bytes:
            self._refuse(
                RequestError("the head is too large", status=431, code="headers_too_large")
            )
        elif not self._in_head:
            self._expect_body()
        elif not self._cycles and not self._head_begun:
            self._head_begun = True
            self._alarm.set(self._loop.time() + self._bounds.head_seconds)

    def eof_received(self) -> None:
        """Half a connection is none: whoever stops sending counts as gone."""

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()

    # ---- for the server -----------------------------------------------------------------------

    def shutdown(self) -> None:
        """Ends the connection when what has been asked, or is on its way, is answered."""
        self._ending = True
        if self._cycles:
            self._cycles[-1].keep_alive = False
        elif self._head_begun:
            # A first request, or the rest of one, was sent before anybody could know.
            self._alarm.set(self._loop.time() + _LAST_HEAD_SECONDS)
        else:
            self._transport.close()

    # ---- for the parser -----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: Headers = []
        self._expects_continue = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            name = name.lower()
            self._headers.append((name, value))
            if name == b"expect" and value.lower() == b"100-continue":
                self._expects_continue = True

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._in_head = self._head_begun = False
        self._alarm.clear()
        self._body_begun, self._body_bytes = self._loop.time(), 0
        parser, url = self._parser, httptools.parse_url(self._url)
        path = url.path.decode("ascii")  # none, of an authority: an error as any other
        version = parser.get_http_version()
        cycle = Cycle(
            self,
            scope := {
                **self._scope,
                "http_version": version,
                "method": parser.get_method().decode("ascii"),
                "path": unquote(path) if "%" in path else path,
                "raw_path": url.path,
                "query_string": url.query or b"",
                "headers": self._headers,
            },
            keep_alive=version != "1.0" and parser.should_keep_alive() and not self._ending,
            expects_continue=self._expects_continue,
        )
        scope["extensions"] = {CALLER: cycle}
        self._last = cycle
        self._cycles.append(cycle)
        if len(self._cycles) == 1:
            self._start(cycle)
        elif len(self._cycles) > _MOST_IN_TURN:
            self.pause_reading()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        self._body_bytes += len(body)
        if self._last is not None:
            self._last.feed(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._in_head = True
        if self._last is not None and not self._last.complete:
            self._alarm.clear()
            self._last.end()

    # ---- for a cycle --------------------------------------------------------------------------

    def common_headers(self) -> Headers:
        return self._server.default_headers

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        self._writable = self._writable or asyncio.Event()
        self._writable.clear()
        try:
            async with asyncio.timeout(self._bounds.idle_seconds):
                await self._writable.wait()
        except TimeoutError as error:
            raise ClientGone from error

    def pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and len(self._cycles) < 2:
            self._reading_paused = False
            self._transport.resume_reading()

    def answered(self, cycle: Cycle) -> None:
        self._server.total_requests += 1
        self._cycles.popleft()
        if not cycle.keep_alive or self._deaf:
            self._hang_up()
            return
        self.resume_reading()
        if self._cycles:
            self._start(self._cycles[0])
        else:
            # Also what is left of a body that nobody wants any more has to come by then.
            self._alarm.set(self._loop.time() + self._bounds.idle_seconds)

    def cut(self, cycle: Cycle) -> None:
        if self.write_paused:
            self._transport.abort()
        elif cycle.begun:
            self._hang_up()
        else:
            self._refuse(RuntimeError())

    def _hang_up(self) -> None:
        """Ends the connection when its caller has taken what was written, or does not take it."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._alarm.set(self._loop.time() + self._bounds.idle_seconds)

    def _start(self, cycle: Cycle) -> None:
        task = self._loop.create_task(cycle.run(self._app))
        # The server waits for them when it ends, and cancels those that take too long.
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    # ---- what may be late ---------------------------------------------------------------------

    def _expect_body(self) -> None:
        """More of the body has come, or its head; the rest has to."""
        if self._last is None or self._last.complete:
            return
        now = self._loop.time()
        self._alarm.set(self._bounds.body_due(self._body_begun, now, self._body_bytes))

    def _is_late(self) -> None:
        if self._transport.is_closing():
            self._transport.abort()
        elif self._reading_paused:
            # It is us who do not read.
            self._alarm.set(self._loop.time() + self._bounds.idle_seconds)
        elif self._in_head or self._last is None or self._last.complete:
            # What has not been taken in all that time keeps a connection that closes in order.
            unread = self._transport.get_write_buffer_size()
            self._transport.abort() if unread else self._transport.close()
        else:
            self._last.is_late(too_slow(self._loop.time() - self._body_begun))

    def _refuse(self, error: Exception) -> None:
        """Says why, unless an answer is under way that it would become a part of; hangs up."""
        if not any(cycle.begun for cycle in self._cycles):
            reply = responses.of_error(error)
            head = [
                b"HTTP/1.1 %d %s" % (reply.status, _REASONS[reply.status]),
                *(b"%s: %s" % header for header in reply.headers),
                b"content-length: %d" % len(reply.body),
                b"connection: close",
            ]
            self.write(b"\r\n".join(head) + b"\r\n\r\n" + reply.body)
        self._hang_up()
