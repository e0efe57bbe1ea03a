"""Our checkout, another one, and onnxruntime alone, in turns, so that what drifts hits all.

    python -m bench.turns [--other CHECKOUT] [--callers 1 8 32] [--rounds 14] [-- SERVE OPTIONS]

New questions of 32 words, answers of 30, both judged. The cores of a virtual machine may do twice
as much in one second as in the next; three rounds of two seconds each, as `python -m bench` takes
them, do not see a tenth. The other checkout runs with this one's interpreter and packages. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.api import sentence
from bench.faults.load import api, in_turn, percentile, ready, statuses
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel
from guardproxy.content import Passage
from tests.processes import ROOT, serving, serving_from

SECONDS = 1.5
QUESTION_WORDS, ANSWER_WORDS = 32, 30
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Asked:
    """One process under so many callers; each figure once a round."""

    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    idle_cores: list[float] = field(default_factory=list)

    def row(self) -> list[float]:
        figures = (self.rates, self.cpu_ms, self.p50_ms, self.idle_cores)
        return [statistics.median(each) for each in figures]


@dataclass(slots=True)
class Floor:
    """One caller beside onnxruntime, which runs the same pairs of texts one after the other."""

    added_ms: list[float] = field(default_factory=list)
    alone_ms: list[float] = field(default_factory=list)

    @property
    def times(self) -> list[float]:
        """Of each round: how many times as long."""
        return [mine / alone for mine, alone in zip(self.added_ms, self.alone_ms, strict=True)]


def cpu_seconds(pid: int) -> float:
    """That a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def idle_seconds() -> float:
    """Of all cores together, since the start of the machine."""
    with Path("/proc/stat").open(encoding="ascii") as lines:
        return int(next(lines).split()[4]) / _TICKS


def ask(url: str, pid: int, callers: int, seconds: float, found: Asked) -> None:
    began, cpu, idle = time.monotonic(), cpu_seconds(pid), idle_seconds()
    samples = asyncio.run(in_turn(url, callers, seconds))
    lasted = time.monotonic() - began
    good = statuses(samples)[200]
    found.rates.append(good / lasted)
    found.cpu_ms.append(1000 * (cpu_seconds(pid) - cpu) / max(1, good))
    found.p50_ms.append(percentile(samples, 0.5))
    found.idle_cores.append((idle_seconds() - idle) / lasted)


def compare(
    checkouts: Sequence[Path], callers: int, rounds: int, seconds: float, options: Sequence[str]
) -> list[Asked]:
    """Asks one process of each checkout, every other round the other way about."""
    found = [Asked() for _ in checkouts]
    with api() as upstream, ExitStack() as stack:
        proxies = [
            stack.enter_context(serving_from(each, ["--upstream", upstream, *options], {}))
            for each in checkouts
        ]
        every = [
            (ready(proxy), proxy.process.pid, own)
            for proxy, own in zip(proxies, found, strict=True)
        ]
        for url, _, _ in every:
            asyncio.run(in_turn(url, callers, seconds))
        for number in range(rounds):
            for url, pid, own in every if number % 2 else reversed(every):
                ask(url, pid, callers, seconds, own)
    return found


def pairs() -> Iterator[float]:
    """Milliseconds of onnxruntime for a question and its answer, again and again."""
    model = OnnxModel(verify_model_folder(EMBEDDED_FOLDER))
    while True:
        taken = 0.0
        for words in (QUESTION_WORDS, ANSWER_WORDS):
            for window in model.windows(Passage(sentence(words))):
                run = model.run(window)
                began = time.perf_counter()
                run()
                taken += 1000 * (time.perf_counter() - began)
        yield taken


def beside_the_floor(rounds: int, seconds: float) -> Floor:
    """Alone, one caller, the upstream itself, alone: so each round."""
    found, alone = Floor(), pairs()
    with api() as upstream, serving("--upstream", upstream) as proxy:
        url, direct = ready(proxy), upstream.removesuffix("/v1")
        asyncio.run(in_turn(url, 1, seconds))
        for _ in range(rounds):
            taken = list(_for(alone, seconds / 3))
            through, without = (
                percentile(asyncio.run(in_turn(each, 1, part)), 0.5)
                for each, part in ((url, seconds / 3), (direct, seconds / 15))
            )
            taken += _for(alone, seconds / 3)
            found.added_ms.append(through - without)
            found.alone_ms.append(statistics.median(taken))
    return found


def _for(values: Iterator[float], seconds: float) -> Iterator[float]:
    until = time.monotonic() + seconds
    yield next(values)
    while time.monotonic() < until:
        yield next(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--other", type=Path, help="another checkout")
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 8, 32])
    parser.add_argument("--rounds", type=int, default=14)
    parser.add_argument("options", nargs="*", help="of `guardproxy serve`, for both; after --")
    given = parser.parse_args()
    checkouts = {"this": ROOT} | ({"other": given.other.resolve()} if given.other else {})
    print("| checkout | callers | answers/s | CPU ms each | p50 ms | idle cores |")
    print("|---|---|---|---|---|---|")
    for callers in given.callers:
        found = compare(list(checkouts.values()), callers, given.rounds, SECONDS, given.options)
        for name, asked in zip(checkouts, found, strict=True):
            rate, cpu, p50, idle = asked.row()
            print(f"| {name} | {callers} | {rate:.1f} | {cpu:.1f} | {p50:.1f} | {idle:.2f} |")
    floor = beside_the_floor(given.rounds, SECONDS)
    low, middle, high = statistics.quantiles(floor.times, n=4)
    print(
        f"\nOne caller's added p50 is {middle:.2f} times what onnxruntime alone needs for the same "
        f"texts (middle half of {given.rounds} rounds: {low:.2f} to {high:.2f})."
    )


if __name__ == "__main__":
    main()
