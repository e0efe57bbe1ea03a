"""Runs as they could have been, for what is made of them."""

from __future__ import annotations

from dataclasses import replace

from guardproxy.bench.gateways import CACHED, DIRECT, JUDGED, NGINX, UNGUARDED
from guardproxy.bench.plan import AT_ONCE, CONNECTIONS, LENGTHS, STREAM_WORDS, TURNS, WORDS
from guardproxy.bench.records import (
    FloorRecord,
    LoadRecord,
    Missing,
    Run,
    ServerRecord,
    SteadyRecord,
    StreamRecord,
    Subject,
    TurnRecord,
    WorkersRecord,
)
from guardproxy.bench.rules import LITELLM, LITELLM_FILTER, PORTKEY

MB = 10**6
TITLES = {
    DIRECT: "direct",
    NGINX: "nginx, reverse proxy",
    UNGUARDED: "guardproxy, empty policy",
    CACHED: "guardproxy, verdicts cached",
    JUDGED: "guardproxy, every text judged",
    LITELLM: "LiteLLM, no guard",
    LITELLM_FILTER: "LiteLLM, regex content filter",
    PORTKEY: "Portkey gateway, no guard",
}
P50_MS = {
    DIRECT: 0.1,
    NGINX: 0.2,
    UNGUARDED: 0.4,
    CACHED: 0.45,
    JUDGED: 6.0,
    LITELLM: 5.0,
    LITELLM_FILTER: 8.0,
    PORTKEY: 0.9,
}
RATES = {
    DIRECT: 50_000,
    NGINX: 20_000,
    UNGUARDED: 6_000,
    CACHED: 5_500,
    JUDGED: 400,
    LITELLM: 190,
    LITELLM_FILTER: 100,
    PORTKEY: 1_300,
}


def load(target: str, connections: int, words: int = WORDS, number: int = 0) -> LoadRecord:
    p50 = P50_MS[target] / 1000
    return LoadRecord(
        target=target,
        connections=connections,
        words=words,
        round=number,
        requests=RATES[target] * 2,
        seconds=2.0,
        errors=0,
        broken=0,
        p50=p50,
        p99=p50 * 2,
        cpu=1.0,
        upstream_cpu=0.1,
    )


def stream(target: str, at_once: int, words: int, seconds: float, cpu: float) -> StreamRecord:
    return StreamRecord(
        target=target,
        at_once=at_once,
        words=words,
        pause_ms=20,
        round=0,
        first=0.001 if target == DIRECT else 0.005,
        total=seconds,
        longest=seconds,
        delay=0.001,
        delay_p99=0.002,
        broken=0,
        cpu=cpu,
    )


def run() -> Run:
    """One in which every target is met."""
    found = Run(
        machine={"processor": "a fine one"},
        versions={"Python": "3.11.7"},
        subjects=[Subject(key, title, "1.0") for key, title in TITLES.items()],
        missing=[Missing("LLM-Shield-Proxy", "not installed")],
    )
    lengths = [(1, words) for words in LENGTHS]
    for key in TITLES:
        for connections, words in [*((each, WORDS) for each in CONNECTIONS), *lengths]:
            found.loads.extend(load(key, connections, words, number) for number in range(3))
        found.servers.append(ServerRecord(key, 1.5, 0.005, 250 * MB, 260 * MB))
    for key in (DIRECT, JUDGED):
        found.streams.append(stream(key, 1, STREAM_WORDS, 0.5, 0.1))
        found.streams.append(stream(key, AT_ONCE, STREAM_WORDS, 2.0, 0.1))
        found.streams.append(stream(key, AT_ONCE, 2 * STREAM_WORDS, 4.0, 0.2))
        found.turns.extend(TurnRecord(key, 0, turn, 0.01) for turn in range(1, TURNS + 1))
    found.steady.extend(
        SteadyRecord(JUDGED, streams, 0, 260 * MB) for streams in (0, 500, 1000, 1500, 2000)
    )
    found.workers.extend((WorkersRecord(1, 0, 30.0, 0), WorkersRecord(2, 0, 58.0, 0)))
    found.floors.append(
        FloorRecord(
            prompt=0.004,
            answer=0.002,
            rate_one=160.0,
            rate_two=310.0,
            judgement=0.005,
            sizes={"Python": 25 * MB, "the model": 200 * MB},
        )
    )
    return found


def changed(found: Run, key: str, **fields: float) -> Run:
    """The same, but for one target's loads."""
    loads = [
        replace(each, **fields) if each.target == key else each  # type: ignore[arg-type] # tests name fields of numbers
        for each in found.loads
    ]
    return replace(found, loads=loads)
