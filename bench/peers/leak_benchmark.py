"""`pii-leak-benchmark` (PyPI) against `guardproxy serve` with policies that block personal data.

    python -m bench.peers.leak_benchmark [--oracle union-worst-case] [--seed HEX]

The benchmark plays the LLM API and the client: it puts four values into a request, and four others
into the streamed answer, whole and cut at every place, and looks for them on both sides. It is made
for gateways that replace values, so some things stand between it and one that blocks:

- It takes no verdict from an answer with status 403. `Interpreter` stands in front of guardproxy
  and gives the bytes of a refusal as a stream, so that it searches them like any other answer.
- Its model repeats the request's values before it says the new one, so a guard stops it before
  what is measured begins. `quiet_echo` has the request say nothing personal instead.
- Its model says all at once, so that a guard judges all at once. `Pacer` passes on one event at a
  time: each is judged alone, and what stood before the value has left when it comes.
"""

from __future__ import annotations

import argparse
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from pii_leak_benchmark.partial_emission import score_case
from pii_leak_benchmark.v2_emitter import (
    RunResult,
    Segments,
    build_segments,
    covering_array,
    run_case,
)

from bench.peers.interpreter import interpreting
from bench.peers.pacer import pacing
from bench.peers.table import Result, show
from tests.processes import serving

PII_ONLY = "pii-only"
ANSWERS_ONLY = """
name: pii-in-answers
input: []
output:
  - block_on_error: true
    moderation_llm_v2:
      action: block
      ignore_other_categories: true
      custom_category_thresholds:
        pii: 0.35
"""
"""What `pii-only` says about answers. Requests pass, because the answers are to be measured."""

LET_ALL_PASS = ANSWERS_ONLY.replace("action: block", "action: none")
"""The control: what the benchmark finds when nothing is blocked."""

SEED = "a1b2c3d4e5f60001"
ORACLE = "exhaustive-2-part"
"""Every cut of a value in two; `union-worst-case` is every cut in two and in three."""
CONTROL = "control: nothing is blocked"
REQUESTS = "requests, as published"


@dataclass(frozen=True, slots=True)
class Row:
    """What one run of all cases showed. Rates are shares of the cases that could be scored.

    `reached_upstream` counts the first of its two passes, the one that keeps what arrived.
    """

    name: str
    cases: int
    scored: int
    requests: int
    first_pass: int
    reached_upstream: int
    leak_whole: float
    leak_split: float
    partial_emission: float
    partial_scored: int
    ended: str
    leaked: tuple[str, ...]

    @property
    def fragmentation(self) -> float:
        """What splitting adds to the leak rate, the benchmark's headline."""
        return self.leak_split - self.leak_whole


def as_published(seed: str) -> Segments:
    """The benchmark's own values: reserved ones, which can belong to nobody."""
    return build_segments(seed)


def quiet_echo(seed: str) -> Segments:
    """Its values in the answer alone; the request says nothing personal."""
    return replace(build_segments(seed), echo={"NOTE": "the weather in spring"})


def of_people(seed: str) -> Segments:
    """As `quiet_echo`, with values in the same forms that can belong to somebody."""
    draw = random.Random(seed)
    local = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8))
    values = {
        "EMAIL": f"{local}@{draw.choice(('gmail.com', 'posteo.de', 'acme.io'))}",
        "SSN": f"{draw.randint(100, 665)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}",
        "USPHONE": f"{draw.choice((212, 312, 415, 617))}-{draw.randint(600, 899)}-2368",
    }
    segments = quiet_echo(seed)
    return replace(segments, injection=segments.injection | values)


def measure(name: str, policy: str, segments: Segments, oracle: str) -> Row:
    """Runs every case under a policy, first for whole values, then for parts of them."""
    port = _free_port()
    with (
        pacing(port) as pacer,
        serving("--upstream", pacer.url, "--policy", policy) as running,
        interpreting(running.ready().url) as interpreter,
    ):
        how = {"gateway_url": interpreter.url, "upstream_port": port, "oracle": oracle}
        cases = covering_array()
        whole = [run_case(segments, name, case, iterations=1, **how) for case in cases]
        first_pass = sum(interpreter.ended.values())
        parts = [score_case(segments, name, case, **how) for case in cases]
        requests = sum(interpreter.ended.values())
        ended = ", ".join(f"{how} {times}" for how, times in sorted(interpreter.ended.items()))
    scored = [each for each in whole if each.transport_error is None]
    leaked = [each for each in scored if each.injection_leaked]
    return Row(
        name,
        cases=len(whole),
        scored=len(scored),
        requests=requests,
        first_pass=first_pass,
        reached_upstream=sum(len(each.upstream_bodies) for each in whole),
        leak_whole=_rate(scored, "single_chunk"),
        leak_split=_rate(scored, "adversarial"),
        partial_emission=sum(each.partial_emission for each in parts) / len(parts),
        partial_scored=sum(each.transport_error is None for each in parts),
        ended=ended,
        leaked=tuple(sorted({each.case["entity"] for each in leaked})),
    )


def _rate(scored: Sequence[RunResult], fragmentation: str) -> float:
    these = [each for each in scored if each.case["fragmentation"] == fragmentation]
    return sum(each.injection_leaked for each in these) / len(these) if these else 0.0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def rows(seed: str, oracle: str) -> Iterator[Row]:
    """The control, requests, and answers with both sorts of values."""
    with tempfile.TemporaryDirectory() as folder:
        answers, nothing = Path(folder, "answers.yaml"), Path(folder, "nothing.yaml")
        answers.write_text(ANSWERS_ONLY, encoding="utf-8")
        nothing.write_text(LET_ALL_PASS, encoding="utf-8")
        yield measure(CONTROL, str(nothing), of_people(seed), "midpoint")
        yield measure(REQUESTS, PII_ONLY, as_published(seed), "midpoint")
        yield measure("answers, as published", str(answers), as_published(seed), oracle)
        yield measure("answers, quiet request", str(answers), quiet_echo(seed), oracle)
        yield measure("answers, values of people", str(answers), of_people(seed), oracle)


def is_clean(row: Row) -> bool:
    """Whether a run showed what it should: the control leaks, requests stay, answers are scored."""
    if row.name == CONTROL:
        return row.leak_whole == row.leak_split == 1
    if row.name == REQUESTS:
        return row.reached_upstream == 0 == row.scored
    if row.leaked or row.partial_emission:
        return False
    return row.scored == row.partial_scored == row.cases


def results(seed: str = SEED, oracle: str = ORACLE) -> Iterator[Result]:
    """A line a run."""
    suite = f"pii-leak-benchmark {version('pii-leak-benchmark')}"
    for row in rows(seed, oracle):
        figures = (
            f"{row.scored} of {row.cases} cases scored, {row.requests} requests ({row.ended}), "
            f"{row.reached_upstream} of the first {row.first_pass} reached the upstream; "
            f"leak rate whole {row.leak_whole:.2f}, "
            f"split {row.leak_split:.2f}, fragmentation {row.fragmentation:+.2f}, "
            f"partial emission {row.partial_emission:.2f} in {row.partial_scored} cases"
        )
        yield Result(suite, f"{row.name}; {oracle}, seed {seed}", figures, is_clean(row))


def main() -> int:
    """Prints a line a run; the exit code is 0 if every one showed what it should."""
    parser = argparse.ArgumentParser(description="pii-leak-benchmark against guardproxy")
    parser.add_argument("--seed", default=SEED)
    parser.add_argument("--oracle", default=ORACLE)
    given = parser.parse_args()
    return show(results(given.seed, given.oracle))


if __name__ == "__main__":
    raise SystemExit(main())
