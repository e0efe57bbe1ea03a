"""The one place that talks to the LLM API. Where it is comes from configuration alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol
from urllib.parse import quote_from_bytes, urlsplit

from guardproxy.errors import UpstreamError
from guardproxy.proxy.headers import Headers, first, for_client
from guardproxy.proxy.upstream_connection import BrokenAnswerError

_OUR_VERSION = "/v1"
DEFAULT_PORTS = {"http": 80, "https": 443}
"""Of a URL that names none."""
# WHATWG's query set: what no URL can hold as it is; what is encoded already stays so.
_IN_A_TARGET = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"#<>')
_PLAIN = re.compile(rb"[!$-;=?-~]*")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for a connection, for a silence once an answer has begun, for everything."""

    connect: float
    idle: float
    total: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it goes out; `headers` hold Host and Content-Length."""

    method: str
    target: bytes
    headers: Headers
    body: bytes

    def head(self) -> bytes:
        """Request line and headers, with the empty line.

        Raises:
            ValueError: something in it would begin another line.
        """
        lines = [b"%b %b HTTP/1.1" % (self.method.encode(), self.target)]
        lines += [b"%b: %b" % header for header in self.headers]
        head = b"\r\n".join([*lines, b"\r\n"])
        if not head.count(b"\n") == head.count(b"\r") == len(lines) + 1 or b"\0" in head:
            raise ValueError("a header holds the end of a line")
        return head


class Incoming(Protocol):
    """An answer whose head is here."""

    status: int
    headers: Headers
    """Names in lower case."""

    async def chunk(self, until: float) -> bytes:
        """What has come of the body; empty at its end. Raises what the transport may."""
        ...

    def leave(self) -> None:
        """Nothing more of it is wanted."""
        ...


class Transport(Protocol):
    """The way there: a pool of connections, or a test's own.

    Whatever it raises is a fault of the upstream; a `TimeoutError` is one of its lateness.
    """

    async def ask(self, request: Outgoing, timeouts: Timeouts, until: float) -> Incoming: ...

    async def aclose(self) -> None: ...


class UpstreamAnswer:
    """An answer whose head is here and whose body is still coming."""

    def __init__(self, incoming: Incoming, deadline: float, idle: float) -> None:
        self._incoming = incoming
        self._deadline = deadline
        self._idle = idle
        self.status = incoming.status
        self.headers = incoming.headers
        self.for_client = for_client(self.headers)
        """The headers that travel on."""
        self.content_kind = (first(self.headers, b"content-type") or b"").decode("latin-1").lower()
        """Media type with its parameters, lower case; empty if there is none."""
        self.content_type = self.content_kind.partition(";")[0].strip()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            UpstreamError: it breaks off, falls silent or takes too long.
        """
        while chunk := await self._chunk():
            yield chunk

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            UpstreamError: as `chunks`, or the body is larger than `limit` bytes.
        """
        chunks, size = [], 0
        while chunk := await self._chunk():
            size += len(chunk)
            if size > limit:
                raise UpstreamError(f"the answer is larger than {limit} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def _chunk(self) -> bytes:
        silent = asyncio.get_running_loop().time() + self._idle
        try:
            return await self._incoming.chunk(min(self._deadline, silent))
        except Exception as error:
            raise _broken(error, "fell silent or took too long") from error


class Upstream:
    """The LLM API.

    Args:
        base_url: the LLM API with its version path; without any path, `/v1` is meant.
        transport: the way there; see `Transport`.
        timeouts: see `Timeouts`.
    """

    def __init__(self, base_url: str, transport: Transport, timeouts: Timeouts) -> None:
        parts = urlsplit(base_url)
        self._prefix = parts.path.rstrip("/") or _OUR_VERSION
        self._host = _host(parts.hostname or "", parts.port, parts.scheme)
        self._transport = transport
        self._timeouts = timeouts

    def target(self, path: str, query: bytes = b"") -> bytes:
        """Where a path goes: its `/v1` stands for the base URL's path, another path for itself.

        `path` is one of ours or listed by the policy, never the caller's own spelling.
        """
        if path.startswith(f"{_OUR_VERSION}/"):
            path = self._prefix + path.removeprefix(_OUR_VERSION)
        target = path.encode() + b"?" + query if query else path.encode()
        if _PLAIN.fullmatch(target):
            return target
        return quote_from_bytes(target, _IN_A_TARGET).encode()

    def send(self, method: str, path: str, query: bytes, headers: Headers, body: bytes) -> Sending:
        """A request to be sent; as a context it gives the answer, and lets go of it at the end.

        Raises, on entering:
            UpstreamError: no answer, or one that nobody could judge: coded, or of two types.
        """
        length = (b"content-length", b"%d" % len(body))
        request = Outgoing(
            method, self.target(path, query), [(b"host", self._host), *headers, length], body
        )
        return Sending(self._transport, request, self._timeouts)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()


class Sending:
    """One exchange with the upstream, an asynchronous context; see `Upstream.send`."""

    def __init__(self, transport: Transport, request: Outgoing, timeouts: Timeouts) -> None:
        self._transport = transport
        self._request = request
        self._timeouts = timeouts
        self._incoming: Incoming | None = None

    async def __aenter__(self) -> UpstreamAnswer:
        # Until an answer begins, silence is no fault: a model that answers whole is silent while
        # it thinks, and a client told of a timeout would ask, and pay, again.
        deadline = asyncio.get_running_loop().time() + self._timeouts.total
        try:
            incoming = await self._transport.ask(self._request, self._timeouts, deadline)
        except Exception as error:
            raise _broken(error, "did not answer in time") from error
        self._incoming = incoming
        try:
            _check_readable(incoming)
        except UpstreamError:
            incoming.leave()
            raise
        return UpstreamAnswer(incoming, deadline, self._timeouts.idle)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._incoming is not None  # noqa: S101 - set by `__aenter__`
        self._incoming.leave()


def _host(name: str, port: int | None, scheme: str) -> bytes:
    shown = name if name.isascii() else name.encode("idna").decode()
    shown = f"[{shown}]" if ":" in shown else shown
    return (shown if port in (None, DEFAULT_PORTS[scheme]) else f"{shown}:{port}").encode()


def _check_readable(incoming: Incoming) -> None:
    if not 200 <= incoming.status < 600:
        raise UpstreamError("the upstream answered with a status that cannot be passed on")
    codings = [value for name, value in incoming.headers if name == b"content-encoding"]
    if any(coding.strip().lower() not in (b"", b"identity") for coding in codings):
        raise UpstreamError("the upstream sent a compressed answer though none was asked for")
    # Of two readers one takes the first, the other the last.
    if len({value for name, value in incoming.headers if name == b"content-type"}) > 1:
        raise UpstreamError("the upstream named two content types for one answer")


def _broken(error: Exception, when_late: str) -> UpstreamError:
    """Only the kind of fault: messages of foreign errors name hosts and may hold text."""
    if isinstance(error, TimeoutError):
        return UpstreamError(f"the upstream {when_late}", status=504)
    kind = str(error) if isinstance(error, BrokenAnswerError) else type(error).__name__
    return UpstreamError(f"the connection to the upstream failed ({kind})")
