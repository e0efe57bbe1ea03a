"""The connections to the LLM API that are open: made when needed, used again while they last."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

import certifi
from aiohappyeyeballs import AddrInfoType, start_connection

from guardproxy.proxy.upstream import DEFAULT_PORTS, Outgoing, Timeouts
from guardproxy.proxy.upstream_connection import BrokenAnswerError, UpstreamConnection

_KEEP_ALIVE_SECONDS = 15.0
_RESOLVED_SECONDS = 10.0
_NEXT_ADDRESS_SECONDS = 0.25
"""RFC 8305's delay until the next address of a name is tried beside the first."""


def certificates() -> ssl.SSLContext:
    """Who is trusted: certifi's authorities, unless `SSL_CERT_FILE` or `SSL_CERT_DIR` says."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if not file and not folder:
        file = certifi.where()
    context = ssl.create_default_context(cafile=file or None, capath=folder or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


class UpstreamPool:
    """Fits `upstream.Transport`. Without a bound: the number of requests is one.

    It neither keeps cookies, which would travel from one caller to the next, nor reads proxies
    from the environment, nor follows a redirect.

    Args:
        base_url: whose scheme, host and port are all that is ever connected to.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._host = parts.hostname or ""
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._tls = certificates() if parts.scheme == "https" else None
        self._idle: deque[tuple[float, UpstreamConnection]] = deque()
        self._resolved: tuple[float, Sequence[AddrInfoType]] = (0.0, ())
        self._sweep: asyncio.TimerHandle | None = None
        self._ended = False

    async def ask(self, request: Outgoing, timeouts: Timeouts, until: float) -> UpstreamConnection:
        """Sends a request; gives the connection that its answer has begun on.

        Raises:
            BrokenAnswerError, OSError: there is no answer.
            TimeoutError: not by `until`, or no connection in time.
        """
        head = request.head()
        while (connection := self._reused()) is not None:
            try:
                return await _exchange(connection, head, request.body, timeouts, until)
            except (BrokenAnswerError, ConnectionError):
                # The upstream may have closed it while the request was on its way. What may have
                # been done must not be done twice (RFC 9110, 9.2.2), so only reading is repeated.
                if request.method != "GET" or not connection.is_untouched:
                    raise
        async with asyncio.timeout(timeouts.connect):
            connection = await self._connect()
        return await _exchange(connection, head, request.body, timeouts, until)

    async def aclose(self) -> None:
        """Closes what is idle; what is in use is closed by whoever uses it."""
        self._ended = True
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            self._idle.pop()[1].close()
        # A transport closes in the loop's next turn.
        await asyncio.sleep(0)

    def _reused(self) -> UpstreamConnection | None:
        """The one that was used last, so that those too many grow old."""
        while self._idle:
            _, connection = self._idle.pop()
            if not connection.is_open:
                continue
            # A busy loop hears of an end late, and what is sent after it cannot be sent again.
            if not connection.has_news:
                return connection
            connection.close()
        return None

    def _left(self, connection: UpstreamConnection) -> None:
        if not connection.is_reusable:
            return
        if self._ended:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        self._idle.append((loop.time() + _KEEP_ALIVE_SECONDS, connection))
        if self._sweep is None:
            self._sweep = loop.call_later(_KEEP_ALIVE_SECONDS, self._close_old)

    def _close_old(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        while self._idle and (self._idle[0][0] <= loop.time() or not self._idle[0][1].is_open):
            self._idle.popleft()[1].close()
        if self._idle:
            self._sweep = loop.call_at(self._idle[0][0], self._close_old)

    async def _connect(self) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        made = await start_connection(
            await self._addresses(), happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS
        )
        try:
            _, connection = await loop.create_connection(
                lambda: UpstreamConnection(self._left),
                sock=made,
                ssl=self._tls,
                server_hostname=self._host if self._tls else None,
            )
        except BaseException:
            made.close()
            raise
        return connection

    async def _addresses(self) -> Sequence[AddrInfoType]:
        """Asked anew after a while only: a burst of connections is no burst of questions."""
        loop = asyncio.get_running_loop()
        fresh_until, addresses = self._resolved
        if loop.time() >= fresh_until:
            addresses = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            self._resolved = (loop.time() + _RESOLVED_SECONDS, addresses)
        return addresses


async def _exchange(
    connection: UpstreamConnection, head: bytes, body: bytes, timeouts: Timeouts, until: float
) -> UpstreamConnection:
    try:
        await connection.exchange(head, body, stall=timeouts.idle, until=until)
    except BaseException:
        connection.close()
        raise
    return connection
