"""Callers who take their time: what each costs, and what others feel of them."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.faults.load import Sample, api, at_rate, percentile, question, ready, statuses
from tests.processes import Running, serving
from tests.servers import connect

OPEN_POLICY = """
name: open
input: [{moderation_llm_v2: {ignore_other_categories: true, custom_category_thresholds: {pii: 1}}}]
output: []
"""
_IDLE = 10
"""Seconds of GUARDPROXY_IDLE_TIMEOUT here; the default is 60."""
_EVERY = 2.0
"""Seconds between two bytes of somebody slow."""
_DIRECT = "the same, of the upstream itself"
_LEGITIMATE = 20.0
"""Requests a second of the others, of which all have been asked before."""


def resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise ValueError(pid)


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


# ---- memory ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Memory:
    """What clients who read nothing of a stream without end hold, and what is left of them."""

    clients: int
    kb_each: float
    left_mb: float
    files_left: int
    closed_after: float


def _deaf(url: str, request: bytes) -> socket.socket:
    connection = connect(url)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.sendall(request)
    return connection


def memory(clients: int = 200) -> Memory:
    """Without judging, so that as much as may be is held at once."""
    with api() as upstream, _open_proxy(upstream) as proxy:
        url, pid = ready(proxy), proxy.process.pid
        asyncio.run(at_rate(url, 50, 2.0))
        rss, files = resident_kb(pid), open_files(pid)
        began = time.monotonic()
        request = question("long", stream=True)
        deaf = [_deaf(url, request) for _ in range(clients)]
        while open_files(pid) < files + clients and time.monotonic() < began + 30:
            time.sleep(0.1)
        highest = rss
        while open_files(pid) > files + clients // 10 and time.monotonic() < began + 180:
            highest = max(highest, resident_kb(pid))
            time.sleep(0.2)
        after = time.monotonic() - began
        for connection in deaf:
            connection.close()
        asyncio.run(at_rate(url, 50, 2.0))
        left = resident_kb(pid) - rss
        files_left = open_files(pid) - files
    return Memory(
        clients=clients,
        kb_each=(highest - rss) / clients,
        left_mb=left / 1024,
        files_left=files_left,
        closed_after=after,
    )


# ---- slowloris ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slowloris:
    """One way of being slow: what others felt, and when the slow ones were sent away."""

    form: str
    clients: int
    p50: float
    p99: float
    not_200: int
    sent_away: int
    after: float


async def _slow(url: str, begin: bytes, rest: bytes, *, reads: bool) -> float | None:
    """Seconds until it was sent away; None: not yet."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop, began = asyncio.get_running_loop(), time.monotonic()
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        raw.setblocking(False)  # noqa: FBT003 - theirs
        await loop.sock_connect(raw, (host, int(port)))
        await loop.sock_sendall(raw, begin)
        for at in range(10_000):
            try:
                if reads:
                    await asyncio.sleep(_EVERY)
                    gone = not await loop.sock_recv(raw, 1)
                else:
                    await loop.sock_sendall(raw, rest[at % len(rest) :][:1])
                    async with asyncio.timeout(_EVERY):
                        gone = not await loop.sock_recv(raw, 1_000)
                        return time.monotonic() - began
            except TimeoutError:
                continue
            except OSError:
                gone = True
            if gone:
                return time.monotonic() - began
    return None


async def _beside(
    url: str, form: str, clients: int, seconds: float, slow: Callable[[], Awaitable[float | None]]
) -> Slowloris:
    known = [question("known") for _ in range(20)]
    numbers = iter(range(10**9))

    def legitimate() -> bytes:
        return known[next(numbers) % len(known)]

    await at_rate(url, _LEGITIMATE, 2.0, legitimate)
    ended: list[float] = []

    async def one() -> None:
        after = await slow()
        if after is not None:
            ended.append(after)

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one()) for _ in range(clients)]
        samples: list[Sample] = await at_rate(url, _LEGITIMATE, seconds, legitimate)
        for task in running:
            task.cancel()
    return Slowloris(
        form=form,
        clients=clients,
        p50=percentile(samples, 0.5),
        p99=percentile(samples, 0.99),
        not_200=len(samples) - statuses(samples)[200],
        sent_away=len(ended),
        after=max(ended, default=0.0),
    )


def slowloris(clients: int = 300, seconds: float = 14.0) -> list[Slowloris]:
    """No slow ones, then each form by itself, on a process of its own; the last without a proxy."""
    body = question()
    head, _, _ = body.partition(b"\r\n\r\n")
    stream = question("long", stream=True)
    forms: list[tuple[str, int, bytes, bytes, bool]] = [
        ("nobody slow", 0, b"", b"", False),
        ("head, a byte every 2 s", clients, head[:20], head[20:], False),
        ("body, a byte every 2 s", clients, body[:-100], body[-100:], False),
        ("reading, a byte every 2 s", clients, stream, b"", True),
        (_DIRECT, clients, stream, b"", True),
    ]
    found = []
    for form, number, begin, rest, reads in forms:
        with api() as upstream, _open_proxy(upstream) as proxy:
            url = ready(proxy) if form != _DIRECT else upstream.removesuffix("/v1")
            slow = partial(_slow, url, begin, rest, reads=reads)
            found.append(asyncio.run(_beside(url, form, number, seconds, slow)))
    return found


@contextmanager
def _open_proxy(upstream: str) -> Iterator[Running]:
    """A proxy that judges nothing, so that it is connections that are measured."""
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "open.yaml")
        policy.write_text(OPEN_POLICY, encoding="utf-8")
        with serving(
            "--upstream", upstream, policy=str(policy), idle_timeout=str(_IDLE), log_level="error"
        ) as running:
            yield running


if __name__ == "__main__":
    print(memory())
    for line in slowloris():
        print(line)
