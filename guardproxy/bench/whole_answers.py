"""Whole answers: load by wrk, prompts of every length, conversations, and servers at rest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from guardproxy.bench.client import ask, prime
from guardproxy.bench.gateways import Target
from guardproxy.bench.plan import CONNECTIONS, CONVERSATIONS, LENGTHS, PATIENCE, TURNS, WORDS, Plan
from guardproxy.bench.records import LoadRecord, Run, ServerRecord, TurnRecord
from guardproxy.bench.stage import Say, Upstreams
from guardproxy.bench.words import Prompts
from guardproxy.bench.wrk import Load, LoadResult, run_wrk


@dataclass(frozen=True, slots=True)
class WholeAnswers:
    """What is measured, and where it is kept."""

    plan: Plan
    targets: Sequence[Target]
    upstreams: Upstreams
    found: Run
    say: Say
    seeds: Iterator[int]
    """Never one twice: what was judged before would be remembered."""

    def rest(self) -> None:
        """Watches all of them while nobody asks; they have just started."""
        sizes = {target.key: target.server.rss_bytes() for target in self.targets}
        before = {target.key: target.server.cpu_seconds() for target in self.targets}
        time.sleep(self.plan.idle_seconds)
        for target in self.targets:
            used = target.server.cpu_seconds() - before[target.key]
            self.found.servers.append(
                ServerRecord(
                    target=target.key,
                    ready=target.server.ready_seconds,
                    idle=used / self.plan.idle_seconds,
                    rss_ready=sizes[target.key],
                    rss_loaded=sizes[target.key],
                )
            )

    def warm_up(self) -> None:
        """A second of load for each."""
        for target in self.targets:
            self.say(f"warming up {target.key}")
            run_load(target, Load(CONNECTIONS[1], 1, WORDS, next(self.seeds)))

    def measure_round(self, number: int) -> None:
        """Every target at every number of connections, then with prompts of every length."""
        targets = turned(self.targets, number)
        for connections in CONNECTIONS:
            self.say(f"round {number + 1}: {connections} connections")
            for target in targets:
                seconds = self.plan.seconds * PATIENCE.get(connections, 1)
                load = Load(connections, seconds, WORDS, next(self.seeds))
                self.found.loads.append(self._recorded(target, load, number))
        for words, seconds in LENGTHS.items():
            self.say(f"round {number + 1}: prompts of {words} tokens")
            for target in targets:
                load = Load(1, seconds, words, next(self.seeds))
                self.found.loads.append(self._recorded(target, load, number))

    def look_again(self) -> None:
        """How large they are after all this."""
        sizes = {target.key: target.server.rss_bytes() for target in self.targets}
        self.found.servers[:] = [
            replace(server, rss_loaded=sizes[server.target]) for server in self.found.servers
        ]

    def _recorded(self, target: Target, load: Load, number: int) -> LoadRecord:
        upstream = self.upstreams.of(repeated=target.repeated)
        if target.repeated:
            prime(target, load.words)
        cpu, upstream_cpu = target.server.cpu_seconds(), upstream.cpu_seconds()
        result = run_load(target, load)
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


def turned(targets: Sequence[Target], number: int) -> Sequence[Target]:
    """Every other round goes the other way, so that nobody always follows the same neighbour."""
    return targets if number % 2 == 0 else targets[::-1]


def run_load(target: Target, load: Load) -> LoadResult:
    """Sends it what it is measured with."""
    if target.repeated:
        return run_wrk(replace(load, seed=0), target.url, "fixed", target.headers)
    return run_wrk(load, target.url, "new", target.headers)


def converse(target: Target, prompts: Prompts, found: Run) -> None:
    """Conversations in which every turn sends all turns before it, as chats do."""
    for conversation in range(CONVERSATIONS):
        messages: list[dict[str, str]] = []
        for turn in range(1, TURNS + 1):
            messages.append({"role": "user", "content": prompts.new(WORDS)})
            before = target.server.cpu_seconds()
            _, body = ask(target, "new", messages)
            used = target.server.cpu_seconds() - before
            found.turns.append(TurnRecord(target.key, conversation, turn, used))
            messages.append(json.loads(body)["choices"][0]["message"])
