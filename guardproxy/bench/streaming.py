"""Streams: alone and many at once, twice as long, and so many that memory would show a leak."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from guardproxy.bench.gateways import Target
from guardproxy.bench.plan import (
    AT_ONCE,
    PACED_PAUSE_MS,
    QUICK_PAUSE_MS,
    QUICK_STREAMS,
    SHORT_WORDS,
    STEPS,
    STREAM_WORDS,
    WORDS,
    Plan,
)
from guardproxy.bench.processes import Server
from guardproxy.bench.records import Run, SteadyRecord, StreamRecord
from guardproxy.bench.stage import Say
from guardproxy.bench.streams import Asked, Heard, delays, first_words, listen, sent_by
from guardproxy.bench.whole_answers import turned
from guardproxy.bench.words import Prompts

_P99: Final = 0.99
_ALONE: Final = Asked(STREAM_WORDS, QUICK_PAUSE_MS)
_PACED: Final = Asked(STREAM_WORDS, PACED_PAUSE_MS)
_TWICE: Final = Asked(2 * STREAM_WORDS, PACED_PAUSE_MS)
_SHORT: Final = Asked(SHORT_WORDS, 0)


@dataclass(frozen=True, slots=True)
class Streaming:
    """What is measured, and where it is kept."""

    plan: Plan
    targets: Sequence[Target]
    upstream: Server
    found: Run
    say: Say
    prompts: Prompts

    def measure_round(self, number: int, growing: Target) -> None:
        """Every target alone and with many at once; one of them with answers twice as long."""
        self.say(f"round {number + 1}: streams")
        for target in turned(self.targets, number):
            self._record(target, _ALONE, number, at_once=1, times=QUICK_STREAMS)
        for target in turned(self.targets, number):
            self._record(target, _PACED, number, at_once=AT_ONCE)
        self._record(growing, _TWICE, number, at_once=AT_ONCE)

    def stay_steady(self, target: Target) -> None:
        """Asks for many short streams, and looks at the target's memory on the way."""
        step, broken = max(AT_ONCE, self.plan.streams // STEPS), 0
        self._keep_size(target, 0, 0)
        for number in range(1, STEPS + 1):
            self.say(f"{number * step:,} streams")
            broken += asyncio.run(_many(target, step, self.prompts))
            sent_by(self.upstream.url)  # so that it forgets them
            self._keep_size(target, number * step, broken)

    def _keep_size(self, target: Target, streams: int, broken: int) -> None:
        rss = target.server.rss_bytes()
        self.found.steady.append(SteadyRecord(target.key, streams, broken, rss))

    def _record(
        self, target: Target, asked: Asked, number: int, *, at_once: int, times: int = 1
    ) -> None:
        sent_by(self.upstream.url)
        before = target.server.cpu_seconds()
        streams: list[Heard] = []
        for _ in range(times):
            prompts = [self.prompts.new(WORDS) for _ in range(at_once)]
            streams += asyncio.run(listen(target, asked, prompts))
        used = target.server.cpu_seconds() - before
        totals = [stream.total for stream in streams if stream.whole]
        late = delays(streams, sent_by(self.upstream.url))
        self.found.streams.append(
            StreamRecord(
                target=target.key,
                at_once=at_once,
                words=asked.words,
                pause_ms=asked.pause_ms,
                round=number,
                first=_median(first_words(streams)),
                total=_median(totals),
                longest=max(totals, default=None),
                delay=_median(late),
                delay_p99=sorted(late)[int(_P99 * len(late))] if late else None,
                broken=sum(not stream.whole for stream in streams),
                cpu=used / len(streams),
            )
        )


def speaks(target: Target, prompts: Prompts) -> bool:
    """Whether a stream from there is whole; also warms it up."""
    (stream,) = asyncio.run(listen(target, _SHORT, [prompts.new(WORDS)]))
    return stream.whole


async def _many(target: Target, count: int, prompts: Prompts) -> int:
    """So many streams, a few at once; gives how many were not whole."""
    broken = 0
    for begun in range(0, count, AT_ONCE):
        wanted = [prompts.new(WORDS) for _ in range(min(AT_ONCE, count - begun))]
        broken += sum(not stream.whole for stream in await listen(target, _SHORT, wanted))
    return broken


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
