"""Medians over the rounds of a run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guardproxy.bench.records import LoadRecord, Run


@dataclass(frozen=True, slots=True)
class Cell:
    """One target under one load. Seconds; `cpu` and `upstream_cpu` are seconds a request.

    `p50` and `p99` are None if nothing was answered at all.
    """

    p50: float | None
    p99: float | None
    rate: float
    requests: int
    failed: int
    cpu: float
    upstream_cpu: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The cells of a run, by target, connections and words of the prompt."""

    cells: dict[tuple[str, int, int], Cell]

    def cell(self, target: str, connections: int, words: int) -> Cell | None:
        """None if it was not measured."""
        return self.cells.get((target, connections, words))


def summary_of(run: Run) -> Summary:
    """Medians of everything under load."""
    groups: dict[tuple[str, int, int], list[LoadRecord]] = {}
    for record in run.loads:
        groups.setdefault((record.target, record.connections, record.words), []).append(record)
    return Summary({key: _cell(records) for key, records in groups.items()})


def _cell(records: Sequence[LoadRecord]) -> Cell:
    answered = [record for record in records if record.requests]
    requests = sum(record.requests for record in records)

    def median(of: Callable[[LoadRecord], float]) -> float | None:
        return statistics.median(map(of, answered)) if answered else None

    return Cell(
        p50=median(lambda record: record.p50),
        p99=median(lambda record: record.p99),
        rate=statistics.median(record.rate for record in records),
        requests=requests,
        failed=sum(record.failed for record in records),
        cpu=sum(record.cpu for record in records) / requests if requests else 0.0,
        upstream_cpu=sum(record.upstream_cpu for record in records) / requests if requests else 0.0,
    )
