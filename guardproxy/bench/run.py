"""One run: everything is started, measured in turns, ended."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from guardproxy.bench import gateways, machine, nginx
from guardproxy.bench.client import check, prime
from guardproxy.bench.gateways import Gateway, Target
from guardproxy.bench.plan import CONNECTIONS, LENGTHS, WORDS, Plan
from guardproxy.bench.processes import Server, free_port, running
from guardproxy.bench.records import LoadRecord, Missing, Run, ServerRecord, Subject
from guardproxy.bench.upstream import command as upstream_command
from guardproxy.bench.wrk import WORDS_FILE, Load, LoadResult, find_wrk, run_wrk
from guardproxy.errors import ConfigurationError

Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The two that give whole answers."""

    fixed: Server
    new: Server

    def of(self, *, repeated: bool) -> Server:
        """The one for requests that repeat, or that do not."""
        return self.fixed if repeated else self.new


def measure(plan: Plan, others: Sequence[Gateway], missing: Sequence[Missing], say: Say) -> Run:
    """Measures the upstream, nginx, guardproxy and the others.

    Args:
        plan: how much.
        others: gateways beside guardproxy; one that does not start is left out.
        missing: what is left out already.
        say: told what happens now.

    Raises:
        ConfigurationError: wrk is not installed, or guardproxy did not start.
    """
    find_wrk()
    cores = machine.pin()
    found = Run(machine.describe(cores), _versions(), [], list(missing))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guardproxy-bench-")))
        upstreams = _upstreams(stack, folder, found)
        targets = [gateways.direct(upstreams.new)]
        for gateway in [*_proxies(found), *gateways.guardproxies(), *others]:
            say(f"starting {gateway.title}")
            upstream = upstreams.of(repeated=gateway.repeated)
            if target := _started(stack, gateway, upstream, folder, found):
                targets.append(target)
        _measure_whole_answers(plan, targets, upstreams, found, say)
    return found


def _versions() -> dict[str, str]:
    return machine.versions() | {"wrk": machine.version_said_by(find_wrk(), "-v")}


def _upstreams(stack: ExitStack, folder: Path, found: Run) -> Upstreams:
    """By nginx, which costs least; by Python where it is not installed."""
    fixed, new = free_port(), free_port()
    found.subjects.append(Subject(gateways.DIRECT, "direct", ""))
    if program := nginx.find_nginx():
        own = folder / "upstream"
        own.mkdir()
        words = WORDS_FILE.read_text(encoding="utf-8").split()
        configuration = nginx.upstream_configuration(own, words, fixed=fixed, new=new)
        command = nginx.command(program, own, configuration)
        server = stack.enter_context(running("upstream", command, new, ready="/"))
        return Upstreams(Server("upstream", server.session, _url(fixed), 0), server)
    server = stack.enter_context(running("upstream", upstream_command(new), new, ready="/"))
    return Upstreams(server, server)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _proxies(found: Run) -> Iterator[Gateway]:
    if program := nginx.find_nginx():
        yield gateways.reverse_proxy(program, machine.version_said_by(program, "-v"))
    else:
        found.missing.append(Missing("nginx", "not installed (Debian, Ubuntu: apt install nginx)"))


def _started(
    stack: ExitStack, gateway: Gateway, upstream: Server, folder: Path, found: Run
) -> Target | None:
    own = folder / gateway.key
    own.mkdir()
    try:
        target = stack.enter_context(gateways.started(gateway, upstream.url, own))
        check(target)
    except ConfigurationError as error:
        if gateway.key.startswith("guardproxy"):
            raise
        found.missing.append(Missing(gateway.title, str(error)))
        return None
    found.subjects.append(Subject(gateway.key, gateway.title, gateway.version))
    return target


def _measure_whole_answers(
    plan: Plan, targets: Sequence[Target], upstreams: Upstreams, found: Run, say: Say
) -> None:
    seeds = itertools.count(time.time_ns() % 2**31 + 1)
    ready = {target.key: target.server.rss_bytes() for target in targets}
    say("resting")
    idle = _idle(targets, plan.idle_seconds)
    for target in targets:
        _load(target, Load(32, 1, WORDS, next(seeds)))
    for number in range(plan.rounds):
        for connections, target in itertools.product(CONNECTIONS, _turned(targets, number)):
            say(f"round {number + 1}: {target.key}, {connections} connections")
            load = Load(connections, plan.seconds, WORDS, next(seeds))
            found.loads.append(_recorded(target, load, upstreams, number))
        for (words, times), target in itertools.product(LENGTHS.items(), _turned(targets, number)):
            say(f"round {number + 1}: {target.key}, prompts of {words} words")
            found.loads.append(
                _recorded(target, Load(1, times, words, next(seeds)), upstreams, number)
            )
    for target in targets:
        found.servers.append(
            ServerRecord(
                target.key,
                target.server.ready_seconds,
                idle[target.key],
                ready[target.key],
                target.server.rss_bytes(),
            )
        )


def _turned(targets: Sequence[Target], number: int) -> Sequence[Target]:
    """Every other round goes the other way, so that nobody always follows the same neighbour."""
    return targets if number % 2 == 0 else targets[::-1]


def _idle(targets: Sequence[Target], seconds: float) -> dict[str, float]:
    """CPU seconds a second of each, while nothing is asked."""
    before = {target.key: target.server.cpu_seconds() for target in targets}
    time.sleep(seconds)
    return {
        target.key: (target.server.cpu_seconds() - before[target.key]) / seconds
        for target in targets
    }


def _load(target: Target, load: Load) -> LoadResult:
    seed = 0 if target.repeated else load.seed
    model = "fixed" if target.repeated else "new"
    return run_wrk(
        Load(load.connections, load.seconds, load.words, seed), target.url, model, target.headers
    )


def _recorded(target: Target, load: Load, upstreams: Upstreams, number: int) -> LoadRecord:
    upstream = upstreams.of(repeated=target.repeated)
    if target.repeated:
        prime(target, load.words)
    cpu, upstream_cpu = target.server.cpu_seconds(), upstream.cpu_seconds()
    result = _load(target, load)
    return LoadRecord(
        target=target.key,
        connections=load.connections,
        words=load.words,
        round=number,
        requests=result.requests,
        seconds=result.seconds,
        errors=result.errors,
        broken=result.broken,
        p50=result.p50,
        p99=result.p99,
        cpu=target.server.cpu_seconds() - cpu,
        upstream_cpu=upstream.cpu_seconds() - upstream_cpu,
    )
