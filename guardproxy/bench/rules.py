"""The targets, and whether a run has met them: computed, so that nobody decides it. Pure.

A target that needs a gateway that was not installed is neither met nor missed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from guardproxy.bench.gateways import CACHED, DIRECT, JUDGED, UNGUARDED
from guardproxy.bench.plan import AT_ONCE, CONNECTIONS, STREAM_WORDS
from guardproxy.bench.records import Run
from guardproxy.bench.summary import Summary

LITELLM: Final = "litellm"
LITELLM_FILTER: Final = "litellm-filter"
PORTKEY: Final = "portkey"

_MODES: Final = {UNGUARDED: "guards off", CACHED: "verdicts cached"}
_MANY: Final = CONNECTIONS[1:]
_MB: Final = 1e6

ADDED_MS: Final = 0.35
TIMES_PORTKEY: Final = 4.0
TIMES_LITELLM: Final = 25.0
TIMES_FILTER: Final = 3.0
SHARE_AT_MOST_CONNECTIONS: Final = 0.8
TIMES_FLOOR: Final = 1.3
FIRST_WORD_MS: Final = 1.0
TIMES_DIRECT: Final = 1.1
TIMES_TWICE_AS_LONG: Final = 2.2
TIMES_EARLY_TURNS: Final = 1.2
IDLE_PERCENT: Final = 1.0
READY_SECONDS: Final = 3.0
RSS_MB: Final = 350.0
TIMES_EARLY_RSS: Final = 1.03
TIMES_ONE_WORKER: Final = 1.7

_EARLY_TURNS: Final = slice(1, 6)
_LATE_TURNS: Final = slice(-5, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A target and what was found; `met` is None if it could not be measured."""

    what: str
    wanted: str
    found: str
    met: bool | None


def outcomes(run: Run, summary: Summary) -> list[Outcome]:
    """Every target, in the order of the documents."""
    return [
        *_without_judging(summary),
        *_judging(summary),
        *_streams(summary),
        _conversations(summary),
        *_process(run),
        _steady(run),
        _workers(summary),
    ]


def _at_most(what: str, value: float | None, limit: float, unit: str) -> Outcome:
    found = "not measured" if value is None else f"{value:.2f}{unit}"
    return Outcome(what, f"<= {limit:g}{unit}", found, None if value is None else value <= limit)


def _at_least(what: str, value: float | None, limit: float, unit: str) -> Outcome:
    found = "not measured" if value is None else f"{value:.2f}{unit}"
    return Outcome(what, f">= {limit:g}{unit}", found, None if value is None else value >= limit)


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _worst(values: Iterable[float | None], *, largest: bool) -> float | None:
    """None if one of them is: what is not known may be the worst."""
    known: list[float] = []
    for value in values:
        if value is None:
            return None
        known.append(value)
    return max(known) if largest else min(known)


def _rate(summary: Summary, target: str, connections: int) -> float | None:
    cell = summary.cell(target, connections)
    return cell.rate if cell else None


def _without_judging(summary: Summary) -> Iterator[Outcome]:
    for key, mode in _MODES.items():
        added = _thousandfold(summary.added(key, DIRECT))
        yield _at_most(f"{mode}: added p50 at 1 connection", added, ADDED_MS, " ms")
    for connections in _MANY:
        for other, name, limit in (
            (PORTKEY, "Portkey's", TIMES_PORTKEY),
            (LITELLM, "LiteLLM's", TIMES_LITELLM),
        ):
            base = _rate(summary, other, connections)
            ratios = (_ratio(_rate(summary, key, connections), base) for key in _MODES)
            what = f"guards off or cached: throughput at {connections}, times {name}"
            yield _at_least(what, _worst(ratios, largest=False), limit, "x")
    yield _errors(summary)
    shares = (
        _ratio(_rate(summary, key, _MANY[-1]), _rate(summary, key, _MANY[0])) for key in _MODES
    )
    what = f"guards off or cached: throughput at {_MANY[-1]}, of that at {_MANY[0]}"
    yield _at_least(what, _worst(shares, largest=False), SHARE_AT_MOST_CONNECTIONS, "x")


def _thousandfold(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _errors(summary: Summary) -> Outcome:
    cells = [summary.cell(key, connections) for key in _MODES for connections in CONNECTIONS]
    failed = sum(cell.failed for cell in cells if cell)
    met = None if None in cells else failed == 0
    return Outcome("guards off or cached: errors", "0", str(failed), met)


def _judging(summary: Summary) -> Iterator[Outcome]:
    added, filtered = summary.added(JUDGED, DIRECT), summary.added(LITELLM_FILTER, DIRECT)
    what = "every text judged: added p50, times LiteLLM's with its regex filter"
    yield _at_most(what, _ratio(added, filtered), 1.0, "x")
    for connections in _MANY[:1]:
        rate, base = (_rate(summary, key, connections) for key in (JUDGED, LITELLM_FILTER))
        what = f"every text judged: throughput at {connections}, times LiteLLM's with that filter"
        yield _at_least(what, _ratio(rate, base), TIMES_FILTER, "x")
    floor = summary.floor.prompt + summary.floor.answer if summary.floor else None
    what = "every text judged: added p50, times onnxruntime alone for the same texts"
    yield _at_most(what, _ratio(added, floor), TIMES_FLOOR, "x")


def _streams(summary: Summary) -> Iterator[Outcome]:
    yield _at_most(
        "stream alone: added time to the first word, less one judgement",
        _first_word(summary),
        FIRST_WORD_MS,
        " ms",
    )
    judged = summary.streams.get((JUDGED, AT_ONCE, STREAM_WORDS))
    direct = summary.streams.get((DIRECT, AT_ONCE, STREAM_WORDS))
    late = _ratio(judged.longest, direct.total) if judged and direct else None
    if judged and judged.broken:
        found = f"{judged.broken} streams broken"
        yield Outcome(f"{AT_ONCE} streams: the last end", f"<= {TIMES_DIRECT:g}x", found, met=False)
    else:
        what = f"{AT_ONCE} streams of 50 words/s: the last end, times direct"
        yield _at_most(what, late, TIMES_DIRECT, "x")
    twice = summary.streams.get((JUDGED, AT_ONCE, 2 * STREAM_WORDS))
    growth = _ratio(twice.cpu, judged.cpu) if judged and twice else None
    yield _at_most("stream twice as long: CPU, times once", growth, TIMES_TWICE_AS_LONG, "x")


def _first_word(summary: Summary) -> float | None:
    """Milliseconds."""
    judged = summary.streams.get((JUDGED, 1, STREAM_WORDS))
    direct = summary.streams.get((DIRECT, 1, STREAM_WORDS))
    if not (judged and direct and summary.floor) or judged.first is None or direct.first is None:
        return None
    return (judged.first - direct.first - summary.floor.judgement) * 1000


def _conversations(summary: Summary) -> Outcome:
    turns = summary.turns.get(JUDGED, [])
    ratio = _ratio(_mean(turns[_LATE_TURNS]), _mean(turns[_EARLY_TURNS]))
    what = "conversation of 20 turns: CPU of turns 16 to 20, times turns 2 to 6"
    return _at_most(what, ratio, TIMES_EARLY_TURNS, "x")


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _process(run: Run) -> Iterator[Outcome]:
    server = next((each for each in run.servers if each.target == JUDGED), None)
    idle = server.idle * 100 if server else None
    yield _at_most("CPU at rest, of one core", idle, IDLE_PERCENT, " %")
    yield _at_most("ready after", server.ready if server else None, READY_SECONDS, " s")
    rss = server.rss_loaded / _MB if server else None
    yield _at_most("RSS after load, with the model", rss, RSS_MB, " MB")


def _steady(run: Run) -> Outcome:
    sizes = [each for each in run.steady if each.streams]
    growth = _ratio(sizes[-1].rss, sizes[0].rss) if sizes else None
    streams = f"{sizes[-1].streams:,}" if sizes else "many"
    what = f"RSS after {streams} streams, times that after a quarter of them"
    return _at_most(what, growth, TIMES_EARLY_RSS, "x")


def _workers(summary: Summary) -> Outcome:
    ratio = _ratio(summary.workers.get(2), summary.workers.get(1))
    what = "2 workers: throughput of judging, times 1 worker"
    return _at_least(what, ratio, TIMES_ONE_WORKER, "x")
