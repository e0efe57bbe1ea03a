"""One run: everything is started, measured in turns, ended."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from guardproxy.bench import floor, gateways, machine, nginx
from guardproxy.bench.gateways import Gateway, Target
from guardproxy.bench.plan import WORKER_CONNECTIONS, WORKER_WORDS, Plan
from guardproxy.bench.records import Missing, Run, Subject, WorkersRecord
from guardproxy.bench.stage import Say, Stage, quick_upstreams, streaming_upstream
from guardproxy.bench.streaming import Streaming, speaks
from guardproxy.bench.whole_answers import WholeAnswers, converse, run_load
from guardproxy.bench.words import Prompts
from guardproxy.bench.wrk import Load, find_wrk

_WORKERS = (1, 2)


def measure(plan: Plan, others: Sequence[Gateway], missing: Sequence[Missing], say: Say) -> Run:
    """Measures the upstream, nginx, guardproxy and the others.

    Args:
        plan: how much.
        others: gateways beside guardproxy; one that does not start is left out.
        missing: what is left out already.
        say: told what happens now.

    Raises:
        ConfigurationError: this is not Linux, wrk is not installed, or guardproxy did not start.
    """
    find_wrk()
    cores = machine.pin()
    described = machine.describe(cores) | {
        "rounds": f"{plan.rounds}, of {plan.seconds} s for each target and number of connections"
    }
    before = machine.CpuTime.now()
    found = Run(described, _versions(), [], list(missing))
    whole = [*_proxy(found.missing), *gateways.guardproxies(), *others]
    run = _Running(plan, found, say, itertools.count(time.time_ns() % 2**31 + 1))
    started = run.whole_answers(whole)
    found.subjects.append(Subject(gateways.DIRECT, "direct", ""))
    found.subjects.extend(
        Subject(each.key, each.title, each.version) for each in whole if each.key in started
    )
    # Its answers cannot have been judged: a stream is new words every time.
    run.streams([each for each in whole if each.key in started and not each.repeated])
    run.workers()
    kept_back = before.kept_back(machine.CpuTime.now())
    found.machine["CPU time kept back by the host"] = f"{kept_back:.1%} of what was wanted"
    return found


def _versions() -> dict[str, str]:
    return machine.versions() | {"wrk": machine.version_said_by(find_wrk(), "-v")}


def _proxy(missing: list[Missing]) -> Iterator[Gateway]:
    if program := nginx.find_nginx():
        yield gateways.reverse_proxy(program, machine.version_said_by(program, "-v"))
    else:
        missing.append(Missing("nginx", "not installed (Debian, Ubuntu: apt install nginx)"))


@dataclass(frozen=True, slots=True)
class _Running:
    """The parts of a run, each with servers of its own."""

    plan: Plan
    found: Run
    say: Say
    seeds: Iterator[int]

    @contextmanager
    def _stage(self) -> Iterator[Stage]:
        with (
            tempfile.TemporaryDirectory(prefix="guardproxy-bench-") as folder,
            ExitStack() as stack,
        ):
            yield Stage(stack, Path(folder), self.say, self.found.missing)

    def whole_answers(self, wanted: Sequence[Gateway]) -> set[str]:
        """Load and conversations; gives the keys of what started."""
        with self._stage() as stage:
            upstreams = quick_upstreams(stage.stack, stage.folder / "upstream")
            targets = stage.start_all(wanted, lambda each: upstreams.of(repeated=each.repeated))
            every = [gateways.direct(upstreams.new), *targets]
            parts = WholeAnswers(self.plan, every, upstreams, self.found, self.say, self.seeds)
            parts.rest()
            parts.warm_up()
            for number in range(self.plan.rounds):
                parts.measure_round(number)
                self.say("the model alone")
                self.found.floors.append(floor.measured_apart(self.plan.floor_seconds))
            parts.look_again()
            self.say("conversations")
            for key in (gateways.UNGUARDED, gateways.JUDGED):
                converse(_named(key, targets), Prompts(next(self.seeds)), self.found)
            return {target.key for target in targets}

    def streams(self, wanted: Sequence[Gateway]) -> None:
        """Streams."""
        with self._stage() as stage:
            upstream = streaming_upstream(stage.stack)
            targets = stage.start_all(wanted, lambda _: upstream)
            judged = _named(gateways.JUDGED, targets)
            prompts = Prompts(next(self.seeds))
            every = [gateways.direct(upstream), *self._speaking(targets, prompts)]
            parts = Streaming(self.plan, every, upstream, self.found, self.say, prompts)
            for number in range(self.plan.rounds):
                parts.measure_round(number, judged)
            parts.stay_steady(judged)

    def _speaking(self, targets: Sequence[Target], prompts: Prompts) -> Iterator[Target]:
        """Those whose streams are whole before there is any load."""
        for target in targets:
            if speaks(target, prompts):
                yield target
            else:
                reason = "even a single one does not arrive whole"
                self.found.missing.append(Missing(f"streams of {target.key}", reason))

    def workers(self) -> None:
        """One process and two, under load that waits for the classifier."""
        with self._stage() as stage:
            upstream = quick_upstreams(stage.stack, stage.folder / "upstream").new
            targets = {count: stage.start(gateways.workers(count), upstream) for count in _WORKERS}
            for number, (count, target) in itertools.product(
                range(self.plan.rounds), targets.items()
            ):
                self.say(f"round {number + 1}: {target.key}")
                load = Load(
                    WORKER_CONNECTIONS, 1 + self.plan.seconds, WORKER_WORDS, next(self.seeds)
                )
                result = run_load(target, load)
                failed = result.errors + result.broken
                self.found.workers.append(WorkersRecord(count, number, result.rate, failed))


def _named(key: str, targets: Sequence[Target]) -> Target:
    return next(target for target in targets if target.key == key)
