"""One connection: uvicorn's HTTP/1.1 protocol, with the bounds that it leaves to others.

Half a head would keep a connection, a head without end its memory, for ever; and fields after a
chunked body would pass for headers of the request, which RFC 9110, 6.5.1 forbids.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from guardproxy.errors import RequestError
from guardproxy.proxy import responses

_REASONS = {400: b"Bad Request", 431: b"Request Header Fields Too Large"}


class BoundedProtocol(HttpToolsProtocol):
    """Fits uvicorn's `http`.

    `h11_max_incomplete_event_size` of its configuration bounds, here as for uvicorn's other
    parser, the bytes that may come without completing a head, a piece of a body or its end.
    """

    head_seconds = 10.0
    """From the connection, or a request's first byte, to the end of its head: nginx has 60,
    slow-header attacks live from that, and a head is one packet or two."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._most_unread = config.h11_max_incomplete_event_size
        self._unread = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # In pieces: what one read holds behind the end of a head is counted as well.
        step = self._most_unread or len(data)
        for start in range(0, len(data), step):
            self._receive(data[start : start + step])
            if self.transport.is_closing():
                return

    def _receive(self, data: bytes) -> None:
        self._unread += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._most_unread is not None and self._unread > self._most_unread:
            self._refuse(
                RequestError("the head is too large", status=431, code="headers_too_large")
            )
        elif self._in_head and self._idle() and self._head_timer is None:
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unread = 0
        self._in_head = False
        self._head_came()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread = 0
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        del msg  # uvicorn's own, in plain text
        self._refuse(RequestError("the request is not valid HTTP/1.1", code="invalid_http"))

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # theirs says it is never None
        return cycle is None or cycle.response_complete

    def _refuse(self, error: RequestError) -> None:
        """Says why, unless an answer is under way that it would become a part of; hangs up."""
        if self._idle() or not self.cycle.response_started:
            reply = responses.of_error(error)
            head = [
                b"HTTP/1.1 %d %s" % (reply.status, _REASONS[reply.status]),
                *(b"%s: %s" % header for header in reply.headers),
                b"content-length: %d" % len(reply.body),
                b"connection: close",
            ]
            self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + reply.body)
        self.transport.close()
