"""Callers: as many requests a second as told, whatever becomes of them, or one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.faults.api import sentence
from tests.processes import Running
from tests.servers import connect

_PATIENCE = 30.0
_START = 180.0


class _ClosedMeanwhile(Exception):  # noqa: N818 - an event
    """A connection that was kept open is no more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when it was sent (monotonic), how long it took, its status; 0: no answer."""

    sent: float
    seconds: float
    status: int
    policy: str = ""
    whole: bool = True
    body: bytes = b""
    retried: bool = False
    """On a connection of its own, because the one that was kept open had been closed meanwhile."""


def question(model: str = "whole", text: str = "", **more: object) -> bytes:
    """A request of about 40 tokens that was never asked before, unless its text is given."""
    messages = [{"role": "user", "content": text or sentence(32)}]
    body = json.dumps({"model": model, "messages": messages, **more}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def streamed_question() -> bytes:
    return question("stream", stream=True)


@dataclass
class Callers:
    """Connections to one server, used again when free."""

    url: str
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, request: bytes) -> Sample:
        """One request and its whole answer."""
        sent, retried = time.monotonic(), False
        try:
            async with asyncio.timeout(_PATIENCE):
                while True:
                    try:
                        status, headers, body = await self._exchange(request)
                        break
                    except _ClosedMeanwhile:
                        retried = True
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            return Sample(sent, time.monotonic() - sent, 0, whole=False, retried=retried)
        streamed = "text/event-stream" in headers.get("content-type", "")
        return Sample(
            sent,
            time.monotonic() - sent,
            status,
            headers.get("x-guardproxy-policy", ""),
            not streamed or b"data: [DONE]" in body,
            body,
            retried,
        )

    async def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        used = bool(self.free)
        reader, writer = self.free.pop() if used else await self._connection()
        try:
            writer.write(request)
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                # As every HTTP client does: nothing came back, so nobody has read it.
                if used and not getattr(error, "partial", b""):
                    raise _ClosedMeanwhile from error
                raise
            first, *lines = head.split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            body = await _body(reader, headers)
        except BaseException:
            writer.transport.abort()
            raise
        if headers.get("connection") == "close":
            writer.close()
        else:
            self.free.append((reader, writer))
        return int(first.split()[1]), headers, body

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = urlsplit(self.url)
        return await asyncio.open_connection(where.hostname, where.port)

    def close(self) -> None:
        for _, writer in self.free:
            writer.close()
        self.free.clear()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    chunks = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        chunks.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(chunks)


async def at_rate(
    url: str, rate: float, seconds: float, make: Callable[[], bytes] = question
) -> list[Sample]:
    """`rate` requests a second for so long, each sent when its time has come."""
    callers = Callers(url)
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        asked = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            asked.append(tasks.create_task(callers.ask(make())))
    callers.close()
    return [task.result() for task in asked]


async def in_turn(
    url: str, connections: int, seconds: float, make: Callable[[], bytes] = question
) -> list[Sample]:
    """So many callers, each of whom asks again when he has his answer."""
    callers = Callers(url)
    until = time.monotonic() + seconds

    async def one() -> list[Sample]:
        samples = []
        while time.monotonic() < until:
            samples.append(await callers.ask(make()))
        return samples

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one()) for _ in range(connections)]
    callers.close()
    return [sample for task in running for sample in task.result()]


def statuses(samples: Sequence[Sample]) -> Counter[int]:
    return Counter(sample.status for sample in samples)


def percentile(samples: Sequence[Sample], share: float) -> float:
    """Milliseconds."""
    ordered = sorted(sample.seconds for sample in samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0


def ready(running: Running) -> str:
    """Waits until it serves, longer than a test does; gives its URL."""
    until = time.monotonic() + _START
    while running.alive and time.monotonic() < until:
        with contextlib.suppress(AssertionError):
            return running.ready().url
    raise TimeoutError(running.log)


@contextmanager
def api() -> Iterator[str]:
    """The LLM API of `bench.faults.api`; gives its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.faults.api", str(port)])
    try:
        url = f"http://127.0.0.1:{port}/v1"
        _wait_until_open(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_open(url: str) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connect(url).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
