"""Streams: when each word reached the client, against when the upstream had sent it.

wrk does not look into streams, so these few connections are Python's; what arrives is only
written down with its time, and read when the stream is over.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

from guardproxy.bench.gateways import Target
from guardproxy.errors import StreamError
from guardproxy.sse import EventDecoder

_PATIENCE_SECONDS: Final = 60.0
_EVENT_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A stream that is wanted: so many words, so far apart in milliseconds."""

    words: int
    pause_ms: int

    @property
    def model(self) -> str:
        """What tells the upstream."""
        return f"stream-{self.words}-{self.pause_ms}"


@dataclass(frozen=True, slots=True)
class Heard:
    """A stream as it arrived; seconds after the request was sent.

    Attributes:
        prompt: what was asked, by which the upstream's own times are found.
        sent: when the request was, by the machine's monotonic clock.
        words: when each word was there.
        total: when it was over.
        whole: it began with 200, had all its words and ended as it should.
    """

    prompt: str
    sent: float
    words: tuple[float, ...]
    total: float
    whole: bool


async def listen(target: Target, asked: Asked, prompts: Iterable[str]) -> list[Heard]:
    """Asks for streams, all at once; gives them when the last is over."""
    return await asyncio.gather(*(_one(target, asked, prompt) for prompt in prompts))


async def _one(target: Target, asked: Asked, prompt: str) -> Heard:
    answer = Answer()
    sent = time.monotonic()
    # Of whatever goes wrong, what has arrived says so: it is not whole.
    with suppress(OSError, TimeoutError, httptools.HttpParserError):
        async with asyncio.timeout(_PATIENCE_SECONDS), _connection(target) as (reader, writer):
            sent = time.monotonic()
            writer.write(_request(target, asked, prompt))
            while not answer.over and (piece := await reader.read(_PIECE_BYTES)):
                answer.feed(piece)
    return heard(prompt, sent, answer, asked.words)


@asynccontextmanager
async def _connection(
    target: Target,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(target.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _request(target: Target, asked: Asked, prompt: str) -> bytes:
    message = {"role": "user", "content": prompt}
    body = json.dumps({"model": asked.model, "stream": True, "messages": [message]}).encode()
    headers = {
        "host": urlsplit(target.url).netloc,
        "content-type": "application/json",
        "content-length": str(len(body)),
        **target.headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {urlsplit(target.url).path} HTTP/1.1\r\n{lines}\r\n".encode() + body


class Answer:
    """Takes the framing of HTTP off, and notes when what is in it arrived.

    Attributes:
        pieces: of the body, each with the clock's time.
        over: the answer has ended as its framing says it does.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self.over = False
        self._clock = clock
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        """Zero before there is one."""
        return int(self._parser.get_status_code())

    def feed(self, data: bytes) -> None:
        """Takes what was read.

        Raises:
            httptools.HttpParserError: it is no HTTP.
        """
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """For httptools."""
        self.pieces.append((self._clock(), data))

    def on_message_complete(self) -> None:
        """For httptools."""
        self.over = True


def heard(prompt: str, sent: float, answer: Answer, expected: int) -> Heard:
    """What an answer says: a word is there when the space behind it is."""
    decoder = EventDecoder(_EVENT_BYTES)
    words: list[float] = []
    try:
        for when, piece in answer.pieces:
            for event in decoder.feed(piece):
                words += [when - sent] * _content(event.data or "").count(" ")
    except StreamError:
        return Heard(prompt, sent, tuple(words), 0.0, whole=False)
    total = answer.pieces[-1][0] - sent if answer.pieces else 0.0
    good = answer.over and answer.status == http.client.OK and len(words) == expected
    return Heard(prompt, sent, tuple(words), total, whole=good)


def _content(data: str) -> str:
    try:
        choices: list[dict[str, Any]] = json.loads(data)["choices"]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""  # an event that is no chunk of an answer holds no word of it


def sent_by(upstream_url: str) -> dict[str, list[float]]:
    """When the upstream sent each word of each prompt since it was last asked."""
    connection = http.client.HTTPConnection(urlsplit(upstream_url).netloc, timeout=60)
    try:
        connection.request("GET", "/sent")
        found: dict[str, list[float]] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def delays(streams: Iterable[Heard], sent: dict[str, list[float]]) -> list[float]:
    """How much later than the upstream sent it each word arrived, in seconds."""
    return [
        stream.sent + arrived - left
        for stream in streams
        for arrived, left in zip(stream.words, sent.get(stream.prompt, ()), strict=False)
    ]


def first_words(streams: Iterable[Heard]) -> list[float]:
    """Seconds to the first word, of those that had any."""
    return [stream.words[0] for stream in streams if stream.words]
