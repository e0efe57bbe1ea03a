from __future__ import annotations

import pytest

from guardproxy.bench import streaming
from guardproxy.bench.gateways import Target, direct
from guardproxy.bench.plan import Plan
from guardproxy.bench.processes import Server, free_port
from guardproxy.bench.records import Run
from guardproxy.bench.streaming import Streaming
from guardproxy.bench.streams import Asked
from guardproxy.bench.words import Prompts


def parts(target: Target, upstream: Server, streams: int = 8) -> Streaming:
    found = Run(machine={}, versions={}, subjects=[])
    plan = Plan(rounds=1, seconds=1, streams=streams)
    return Streaming(plan, [target], upstream, found, lambda _: None, Prompts(1))


def test_every_way_of_streaming_is_kept(api: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "_ALONE", Asked(4, 1))
    monkeypatch.setattr(streaming, "_PACED", Asked(5, 2))
    monkeypatch.setattr(streaming, "_TWICE", Asked(10, 2))
    measured = parts(direct(api), api)
    measured.measure_round(0, direct(api))
    alone, many, twice = measured.found.streams

    assert [(each.at_once, each.words) for each in (alone, many, twice)] == [
        (1, 4),
        (16, 5),
        (16, 10),
    ]
    for each in (alone, many, twice):
        assert each.broken == 0
        assert 0 < (each.delay or 0) <= (each.delay_p99 or 0)
        assert 0 < (each.first or 0) <= (each.total or 0) <= (each.longest or 0)
        assert each.cpu > 0


def test_a_target_that_is_gone_breaks_every_stream(api: Server) -> None:
    gone = Target("gone", Server("gone", 0, f"http://127.0.0.1:{free_port()}", 0.0), {})
    measured = parts(gone, api)
    measured.measure_round(0, gone)
    alone = measured.found.streams[0]

    assert (alone.broken, alone.first, alone.total, alone.longest) == (2, None, None, None)
    assert (alone.delay, alone.delay_p99) == (None, None)


def test_memory_is_read_on_the_way_through_many_streams(api: Server) -> None:
    measured = parts(direct(api), api, streams=70)
    measured.stay_steady(direct(api))
    steady = measured.found.steady

    assert [each.streams for each in steady] == [0, 17, 34, 51, 68]
    assert all(each.rss > 1_000_000 and not each.broken for each in steady)
