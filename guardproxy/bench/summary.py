"""Medians over the rounds of a run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from guardproxy.bench.plan import WORDS
from guardproxy.bench.records import LoadRecord, Run, StreamRecord, TurnRecord

_Record = TypeVar("_Record")
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Cell:
    """One target under one load. Seconds; `cpu` and `upstream_cpu` are seconds a request.

    Those that speak of a request are None if none was answered.
    """

    p50: float | None
    p99: float | None
    rate: float
    requests: int
    failed: int
    cpu: float | None
    upstream_cpu: float | None


@dataclass(frozen=True, slots=True)
class StreamCell:
    """Streams of one kind from one target. Seconds; `longest` is that of the worst stream."""

    first: float | None
    total: float | None
    longest: float | None
    delay: float | None
    delay_p99: float | None
    broken: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Floor:
    """Medians of `records.FloorRecord`, without the sizes."""

    prompt: float
    answer: float
    rate_one: float
    rate_two: float
    judgement: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in medians; what was not measured is not there.

    Attributes:
        cells: by target, connections, words of the prompt.
        streams: by target, streams at once, words of the answer.
        turns: CPU seconds of each turn, by target, in their order.
        workers: good answers a second, by number of processes.
        floor: None if there is none.
    """

    cells: dict[tuple[str, int, int], Cell]
    streams: dict[tuple[str, int, int], StreamCell]
    turns: dict[str, list[float]]
    workers: dict[int, float]
    floor: Floor | None

    def cell(self, target: str, connections: int, words: int = WORDS) -> Cell | None:
        """Whole answers under load."""
        return self.cells.get((target, connections, words))

    def added(self, target: str, base: str, words: int = WORDS) -> float | None:
        """Seconds by which a target's p50 at one connection is above another's."""
        own, other = self.cell(target, 1, words), self.cell(base, 1, words)
        if own is None or other is None or own.p50 is None or other.p50 is None:
            return None
        return own.p50 - other.p50


def summary_of(run: Run) -> Summary:
    """Medians of everything."""
    loads = _grouped(run.loads, lambda each: (each.target, each.connections, each.words))
    streams = _grouped(run.streams, lambda each: (each.target, each.at_once, each.words))
    workers = _grouped(run.workers, lambda each: each.workers)
    return Summary(
        cells={key: _cell(records) for key, records in loads.items()},
        streams={key: _stream_cell(records) for key, records in streams.items()},
        turns=_turns(run.turns),
        workers={count: _median([each.rate for each in own]) for count, own in workers.items()},
        floor=_floor(run),
    )


def _grouped(
    records: Iterable[_Record], key_of: Callable[[_Record], _Key]
) -> dict[_Key, list[_Record]]:
    groups: dict[_Key, list[_Record]] = {}
    for record in records:
        groups.setdefault(key_of(record), []).append(record)
    return groups


def _median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def _median_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _median(known) if known else None


def _cell(records: Sequence[LoadRecord]) -> Cell:
    requests = sum(record.requests for record in records)
    return Cell(
        p50=_median_of_known(record.p50 if record.requests else None for record in records),
        p99=_median_of_known(record.p99 if record.requests else None for record in records),
        rate=_median([record.rate for record in records]),
        requests=requests,
        failed=sum(record.failed for record in records),
        cpu=sum(record.cpu for record in records) / requests if requests else None,
        upstream_cpu=(
            sum(record.upstream_cpu for record in records) / requests if requests else None
        ),
    )


def _stream_cell(records: Sequence[StreamRecord]) -> StreamCell:
    longest = [record.longest for record in records if record.longest is not None]
    return StreamCell(
        first=_median_of_known(record.first for record in records),
        total=_median_of_known(record.total for record in records),
        longest=max(longest) if longest else None,
        delay=_median_of_known(record.delay for record in records),
        delay_p99=_median_of_known(record.delay_p99 for record in records),
        broken=sum(record.broken for record in records),
        cpu=_median([record.cpu for record in records]),
    )


def _turns(records: Iterable[TurnRecord]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    groups = _grouped(records, lambda each: (each.target, each.turn))
    for (target, _), own in sorted(groups.items()):
        found.setdefault(target, []).append(_median([record.cpu for record in own]))
    return found


def _floor(run: Run) -> Floor | None:
    if not run.floors:
        return None
    return Floor(
        prompt=_median([each.prompt for each in run.floors]),
        answer=_median([each.answer for each in run.floors]),
        rate_one=_median([each.rate_one for each in run.floors]),
        rate_two=_median([each.rate_two for each in run.floors]),
        judgement=_median([each.judgement for each in run.floors]),
    )
