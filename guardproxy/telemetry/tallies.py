"""Counts kept in plain numbers until somebody looks.

A counter of prometheus_client takes a lock for each step, its labels a lookup under another. A
judgement takes some thirty steps, so they are added up here and handed over when the page is
asked for, or now and then. Not for threads: one event loop owns them.
"""

from __future__ import annotations

from bisect import bisect_left

from prometheus_client import Counter, Histogram

Labels = tuple[str, ...]


class CounterTally:
    """Adds up for a counter."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._counts: dict[Labels, float] = {}

    def add(self, labels: Labels, amount: float = 1) -> None:
        self._counts[labels] = self._counts.get(labels, 0) + amount

    def flush(self) -> None:
        counts, self._counts = self._counts, {}
        for labels, amount in counts.items():
            (self._counter.labels(*labels) if labels else self._counter).inc(amount)


class HistogramTally:
    """Adds up for a histogram."""

    def __init__(self, histogram: Histogram, bounds: tuple[float, ...]) -> None:
        self._histogram = histogram
        self._bounds = bounds
        self._series: dict[Labels, _Series] = {}

    def observe(self, labels: Labels, value: float) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(len(self._bounds))
        series.counts[bisect_left(self._bounds, value)] += 1
        series.total += value

    def flush(self) -> None:
        tallied, self._series = self._series, {}
        for labels, series in tallied.items():
            child = self._histogram.labels(*labels) if labels else self._histogram
            # There is no public way to add a number to a bucket at once.
            for bucket, number in zip(child._buckets, series.counts, strict=True):  # noqa: SLF001 - see above
                if number:
                    bucket.inc(number)
            child._sum.inc(series.total)  # noqa: SLF001 - as above


class _Series:
    __slots__ = ("counts", "total")

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.total = 0.0
