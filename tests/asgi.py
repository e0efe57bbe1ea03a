"""Calls an ASGI app by hand: what a server would hand it, and what it sends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Scope

from guardproxy.events import Exchange, Judgement

HOST = (b"host", b"guardproxy.test")
WHOLE: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


def http_scope(
    path: str = "/v1/chat/completions",
    *,
    method: str = "POST",
    headers: Iterable[tuple[bytes, bytes]] = (HOST,),
    query: bytes = b"",
    raw_path: bytes | None = None,
) -> Scope:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": query,
        "headers": list(headers),
    }


def body_messages(*chunks: bytes) -> list[Message]:
    """The chunks of a body, the last one marked as such."""
    last = len(chunks) - 1
    return [
        {"type": "http.request", "body": chunk, "more_body": index < last}
        for index, chunk in enumerate(chunks)
    ]


class Caller:
    """The caller's end: gives the messages, then stays silent; keeps what is `sent`."""

    def __init__(self, *messages: Message) -> None:
        self.waiting = list(messages)
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if not self.waiting:
            await asyncio.Event().wait()
        return self.waiting.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def call(self, app: ASGIApp, scope: Scope) -> Caller:
        await app(scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.sent[0]["headers"] if key == name), None)


class Listener:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []
        self.exchanges: list[Exchange] = []

    def judged(self, judgement: Judgement) -> None:
        self.judgements.append(judgement)

    def finished(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
