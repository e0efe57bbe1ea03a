"""The one place that talks to the LLM API. Where it is comes from configuration alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from guardproxy.errors import UpstreamError
from guardproxy.proxy.headers import Headers, first

_KEEP_ALIVE_SECONDS = 15.0
# The bound on connections is the number of requests; a pool that queues would only hide it.
_MOST_CONNECTIONS = 0
_OUR_VERSION = "/v1"
# aiohttp would copy a whole body into its transport at once, and warns from 1 MiB on.
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: for a connection, for a silence once an answer has begun, for everything."""

    connect: float
    idle: float
    total: float


def aiohttp_transport() -> httpx.AsyncBaseTransport:
    """The transport behind the httpx interface, chosen by measurement (docs/decisions.md).

    It neither keeps cookies, which would travel from one caller to the next, nor reads proxies
    from the environment, nor adds headers of its own.
    """
    certificates = httpx.create_ssl_context()

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_MOST_CONNECTIONS,
                keepalive_timeout=_KEEP_ALIVE_SECONDS,
                ssl=certificates,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Content-Type", "Accept-Encoding"),
            trust_env=False,
        )

    return AiohttpTransport(verify=certificates, client=session)


class UpstreamAnswer:
    """An answer whose head is here and whose body is still coming."""

    def __init__(self, response: httpx.Response, deadline: float, idle: float) -> None:
        self._response = response
        self._deadline = deadline
        self._idle = idle
        self.status = response.status_code
        self.headers: Headers = list(response.headers.raw)

    @property
    def content_type(self) -> str:
        """Media type without parameters, lower case; empty if there is none."""
        value = first(self.headers, b"content-type") or b""
        return value.split(b";")[0].strip().lower().decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            UpstreamError: it breaks off, falls silent or takes too long.
        """
        source = self._response.aiter_raw()
        now = asyncio.get_running_loop().time
        try:
            while True:
                # Around each step and not around the loop: a timeout must not fire while the
                # generator sleeps in somebody else's `async for`.
                async with asyncio.timeout_at(min(self._deadline, now() + self._idle)):
                    chunk = await anext(source, None)
                if chunk is None:
                    return
                yield chunk
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            raise _broken(error, "fell silent or took too long") from error

    async def read(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            UpstreamError: as `chunks`, or the body is larger than `limit` bytes.
        """
        chunks, size = [], 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise UpstreamError(f"the answer is larger than {limit} bytes")
            chunks.append(chunk)
        return b"".join(chunks)


class Upstream:
    """The LLM API.

    Args:
        base_url: the LLM API with its version path; without any path, `/v1` is meant.
        transport: httpx' seam; a test gives a `httpx.MockTransport`.
        timeouts: see `Timeouts`.
    """

    def __init__(
        self, base_url: str, transport: httpx.AsyncBaseTransport, timeouts: Timeouts
    ) -> None:
        self._base = httpx.URL(base_url)
        self._prefix = self._base.raw_path.rstrip(b"/") or _OUR_VERSION.encode()
        self._transport = transport
        self._timeouts = timeouts

    def url(self, path: str, query: bytes = b"") -> httpx.URL:
        """Where a path goes: its `/v1` stands for the base URL's path, another path for itself.

        `path` is one of ours or listed by the policy, never the caller's own spelling.
        """
        target = path.encode()
        if path.startswith(f"{_OUR_VERSION}/"):
            target = self._prefix + target.removeprefix(_OUR_VERSION.encode())
        return self._base.copy_with(raw_path=target + b"?" + query if query else target)

    @asynccontextmanager
    async def send(
        self, method: str, path: str, query: bytes, headers: Headers, body: bytes
    ) -> AsyncIterator[UpstreamAnswer]:
        """Sends a request; closes the connection, or gives it back, at the end.

        Raises:
            UpstreamError: no answer, or a coded one that nobody could judge.
        """
        deadline = asyncio.get_running_loop().time() + self._timeouts.total
        timeouts = {
            "connect": self._timeouts.connect,
            # Until an answer begins: a model that answers whole is silent while it thinks, and
            # a client told of a timeout would ask, and pay, again.
            "read": self._timeouts.total,
            "write": self._timeouts.idle,
            "pool": self._timeouts.connect,
        }
        request = httpx.Request(
            method,
            self.url(path, query),
            headers=[*headers, (b"content-length", b"%d" % len(body))],
            content=body if len(body) <= _PIECE else _pieces(body),
            extensions={"timeout": timeouts},
        )
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._transport.handle_async_request(request)
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _broken(error, "did not answer in time") from error
        try:
            yield _readable(response, deadline, self._timeouts.idle)
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._transport.aclose()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _readable(response: httpx.Response, deadline: float, idle: float) -> UpstreamAnswer:
    if not 200 <= response.status_code < 600:
        raise UpstreamError("the upstream answered with a status that cannot be passed on")
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UpstreamError("the upstream sent a compressed answer though none was asked for")
    return UpstreamAnswer(response, deadline, idle)


def _broken(error: Exception, when_late: str) -> UpstreamError:
    """Only the kind of fault: messages of foreign errors name hosts and may hold text.

    `httpx_aiohttp` makes a timeout of every failed connection; what it came from knows better.
    """
    origin = error.__cause__ or error
    if isinstance(error, TimeoutError) or isinstance(origin, TimeoutError | httpx.TimeoutException):
        return UpstreamError(f"the upstream {when_late}", status=504)
    return UpstreamError(f"the connection to the upstream failed ({type(origin).__name__})")
