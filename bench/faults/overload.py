"""Three times what it can do: how much is still done, and how soon the rest hears of it."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Coroutine
from dataclasses import dataclass

from bench.faults.load import Sample, api, at_rate, in_turn, percentile, ready, statuses
from tests.processes import serving

_CALLERS = 32
_CALM = 0.3
"""Part of the capacity that is asked before and after."""


@dataclass(frozen=True, slots=True)
class Overload:
    """What came of it. Rates are answers of status 200 a second."""

    capacity: float
    asked: float
    served: float
    by_status: dict[int, int]
    served_p50: float
    refused_p50: float
    refused_p99: float
    refused_in_50_ms: float
    calm_p50: float
    back_after: float
    callers_before: float
    callers_meanwhile: float
    """Cores that callers took, of those that the proxy could have used."""

    @property
    def share(self) -> float:
        return self.served / self.capacity


def measure(seconds: float, times: float = 3.0) -> Overload:
    """New 40-token questions, judged by the embedded classifier, both ways."""
    with api() as upstream, serving("--upstream", upstream, log_level="warning") as proxy:
        url = ready(proxy)
        asyncio.run(in_turn(url, 4, 2.0))
        before, callers_before = _timed(in_turn(url, _CALLERS, seconds / 2))
        capacity_before = _rate(before)
        calm = asyncio.run(at_rate(url, capacity_before * _CALM, 3.0))
        pressed, callers_meanwhile = _timed(at_rate(url, capacity_before * times, seconds))
        after = asyncio.run(at_rate(url, capacity_before * _CALM, 6.0))
        again = asyncio.run(in_turn(url, _CALLERS, seconds / 2))
    capacity = (capacity_before + _rate(again)) / 2
    good = [sample for sample in pressed if sample.status == 200]
    refused = [sample for sample in pressed if sample.status == 503]
    in_time = sum(sample.seconds <= 0.05 for sample in refused) / max(1, len(refused))
    return Overload(
        capacity=capacity,
        asked=len(pressed) / (pressed[-1].sent - pressed[0].sent),
        served=_rate(pressed),
        by_status=dict(sorted(statuses(pressed).items())),
        served_p50=percentile(good, 0.5),
        refused_p50=percentile(refused, 0.5),
        refused_p99=percentile(refused, 0.99),
        refused_in_50_ms=in_time,
        calm_p50=percentile(calm, 0.5),
        back_after=_back_after(after, percentile(calm, 0.9) / 1000),
        callers_before=callers_before,
        callers_meanwhile=callers_meanwhile,
    )


def _timed(asking: Coroutine[None, None, list[Sample]]) -> tuple[list[Sample], float]:
    """What came of it, and how many cores this process, the callers', took meanwhile."""
    began, cpu = time.monotonic(), _cpu_seconds()
    samples = asyncio.run(asking)
    return samples, (_cpu_seconds() - cpu) / (time.monotonic() - began)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rate(samples: list[Sample]) -> float:
    """Answers of status 200 a second, from the first question to the last answer."""
    last = max(sample.sent + sample.seconds for sample in samples)
    return statuses(samples)[200] / (last - min(sample.sent for sample in samples))


def _back_after(samples: list[Sample], normal: float) -> float:
    """Seconds until the first request from which on most are answered as fast as before."""
    began = samples[0].sent
    for start, sample in enumerate(samples):
        following = samples[start : start + 20]
        fine = [each.status == 200 and each.seconds <= 2 * normal for each in following]
        if sum(fine) >= 0.8 * len(fine):
            return sample.sent - began
    return time.monotonic() - began


if __name__ == "__main__":
    print(measure(10.0))
