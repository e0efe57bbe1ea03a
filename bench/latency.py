"""What guardproxy adds, against the same upstream without it, in one run with interleaved rounds.

    python bench/latency.py [--rounds 5] [--seconds 3]

Prints Markdown tables: latency and throughput at 1 and 32 connections with an empty policy, with
cached verdicts and with new 40-token prompts; time to the first token of a stream; start-up time
and memory. Everything runs on this machine over loopback: upstream, proxy and load share its
cores, so read the ratios and differences, not the absolute figures.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_WORDS = [
    "garden",
    "water",
    "river",
    "summer",
    "bread",
    "window",
    "music",
    "travel",
    "winter",
    "coffee",
    "letter",
    "mountain",
    "school",
    "market",
    "bridge",
    "orange",
    "morning",
    "picture",
    "kitchen",
    "journey",
    "weather",
    "table",
    "flower",
    "village",
    "paper",
]
_OPEN_POLICY = """
name: open
input:
  - moderation_llm_v2:
      ignore_other_categories: true
      custom_category_thresholds: {pii: 1}
output: []
"""
_STREAMS = 16


@dataclass
class Sample:
    """Latencies in seconds of one target in one scenario, over all rounds."""

    latencies: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    errors: int = 0

    def at(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(30)


def wait_until_open(url: str, seconds: float = 30) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"{url} did not open within {seconds:g} s")


def request(body: dict[str, object]) -> bytes:
    data = json.dumps(body).encode()
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        b"content-type: application/json\r\nauthorization: Bearer bench\r\n"
        b"content-length: %d\r\n\r\n" % len(data)
    ) + data


def new_prompt(source: random.Random) -> bytes:
    words = " ".join(source.choices(_WORDS, k=38))
    return request({"model": "m", "messages": [{"role": "user", "content": words}]})


async def one_connection(
    port: int, next_request: Callable[[], bytes], until: float, sample: Sample
) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        data = next_request()
        started = time.perf_counter()
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        sample.latencies.append(time.perf_counter() - started)
        sample.errors += not head.startswith(b"HTTP/1.1 200")
        count += 1
    writer.close()
    return count


async def load(
    port: int, connections: int, seconds: float, make: Callable[[], bytes], sample: Sample
) -> None:
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(
        *(one_connection(port, make, until, sample) for _ in range(connections))
    )
    sample.rates.append(sum(counts) / seconds)


async def stream(port: int, make: Callable[[], bytes]) -> tuple[float, float]:
    """Seconds to the first content and to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()
    writer.write(make())
    data, first = b"", 0.0
    while b"[DONE]" not in data:
        data += await reader.read(65_536)
        if not first and data.count(b"content") > 1:
            first = time.perf_counter() - started
    writer.close()
    return first, time.perf_counter() - started


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def serve(port: int, upstream: int, *extra: str) -> list[str]:
    return [
        sys.executable, "-m", "guardproxy", "serve", "--port", str(port), "--log-level", "warning",
        "--upstream", f"http://127.0.0.1:{upstream}/v1", *extra,
    ]  # fmt: skip


async def measure(ports: dict[str, int], rounds: int, seconds: float) -> None:
    source = random.Random(7)
    fixed = new_prompt(source)
    scenarios: dict[str, tuple[str, Callable[[], bytes]]] = {
        "direct": ("upstream", lambda: fixed),
        "empty policy": ("open", lambda: fixed),
        "verdict cached": ("guarded", lambda: fixed),
        "new 40-token prompt": ("guarded", lambda: new_prompt(source)),
    }
    samples = {key: Sample() for key in itertools.product(scenarios, (1, 32))}
    for _ in range(rounds):
        for (name, connections), sample in samples.items():
            target, make = scenarios[name]
            await load(ports[target], connections, seconds, make, sample)
    print("\n| scenario | connections | p50 ms | p99 ms | added p50 | added p99 ", end="")
    print("| requests/s | errors |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for (name, connections), sample in samples.items():
        base = samples["direct", connections]
        p50, p99 = sample.at(0.5), sample.at(0.99)
        print(
            f"| {name} | {connections} | {p50:.2f} | {p99:.2f} | {p50 - base.at(0.5):.2f} "
            f"| {p99 - base.at(0.99):.2f} | {statistics.median(sample.rates):.0f} "
            f"| {sample.errors} |"
        )


async def measure_streams(ports: dict[str, int], rounds: int) -> None:
    source = random.Random(8)

    def make() -> bytes:
        words = " ".join(source.choices(_WORDS, k=38))
        message = {"role": "user", "content": words}
        return request({"model": "m", "stream": True, "messages": [message]})

    results: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in range(rounds):
        for target, at_once in itertools.product(("upstream", "open", "guarded"), (1, _STREAMS)):
            found = await asyncio.gather(*(stream(ports[target], make) for _ in range(at_once)))
            results.setdefault((target, at_once), []).extend(found)
    print(
        "\n| streams of 50 deltas, 20 ms apart | at once | first token ms (p50) | total s (p50) |"
    )
    print("| --- | --- | --- | --- |")
    for (target, at_once), found in results.items():
        first = statistics.median(each[0] for each in found) * 1000
        total = statistics.median(each[1] for each in found)
        print(f"| {target} | {at_once} | {first:.2f} | {total:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    ports = {name: free_port() for name in ("upstream", "open", "guarded")}
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "open.yaml"
        policy.write_text(_OPEN_POLICY)
        upstream = [sys.executable, str(_HERE / "instant_upstream.py"), str(ports["upstream"])]
        with (
            process(upstream),
            process(serve(ports["open"], ports["upstream"], "--policy", str(policy))),
        ):
            started = time.perf_counter()
            with process(serve(ports["guarded"], ports["upstream"])) as guarded:
                wait_until_open(f"http://127.0.0.1:{ports['guarded']}/readyz")
                ready = time.perf_counter() - started
                wait_until_open(f"http://127.0.0.1:{ports['open']}/readyz")
                idle = rss_mb(guarded.pid)
                asyncio.run(measure(ports, options.rounds, options.seconds))
                asyncio.run(measure_streams(ports, options.rounds))
                print(f"\nready after {ready:.2f} s; RSS {idle:.0f} MB idle, ", end="")
                print(f"{rss_mb(guarded.pid):.0f} MB after the load")


if __name__ == "__main__":
    main()
