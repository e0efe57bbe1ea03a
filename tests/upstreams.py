"""The way to an LLM API without a network: a function answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import httpx

from guardproxy.proxy.headers import Headers
from guardproxy.proxy.upstream import Outgoing, Timeouts

Handler = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Answering:
    """Fits `upstream.Transport`; remembers what it was `asked`, and how many answers it `left`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.asked: list[Outgoing] = []
        self.left = 0

    async def ask(self, request: Outgoing, timeouts: Timeouts, until: float) -> _Received:
        self.asked.append(request)
        host = dict(request.headers)[b"host"].decode()
        url = f"http://{host}{request.target.decode()}"
        answer = self._handler(
            httpx.Request(request.method, url, headers=request.headers, content=request.body)
        )
        return _Received(await answer if inspect.isawaitable(answer) else answer, self)

    async def aclose(self) -> None:
        """Nothing is open."""


class _Received:
    def __init__(self, answer: httpx.Response, transport: Answering) -> None:
        self.status = answer.status_code
        self.headers: Headers = [(name.lower(), value) for name, value in answer.headers.raw]
        self._chunks = answer.aiter_raw()
        self._transport = transport

    async def chunk(self, until: float) -> bytes:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""

    def leave(self) -> None:
        self._transport.left += 1
