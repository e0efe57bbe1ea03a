"""The whole run, with gateways that cost nothing and without load; what is real stands beside."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from guardproxy.bench import floor, gateways, nginx, streaming, whole_answers
from guardproxy.bench.gateways import CACHED, DIRECT, JUDGED, NGINX, UNGUARDED
from guardproxy.bench.plan import CONNECTIONS, LENGTHS, Plan
from guardproxy.bench.records import Missing, Run
from guardproxy.bench.run import measure
from guardproxy.bench.stage import Stage, quick_upstreams
from guardproxy.bench.streams import Asked
from guardproxy.bench.whole_answers import WholeAnswers
from tests.bench import runs
from tests.bench.costless import costless, silent
from tests.bench.needs import NEEDS_WRK

SHORT = Plan(rounds=1, seconds=1, streams=8, idle_seconds=0.01, floor_seconds=0.01)


@pytest.fixture(autouse=True)
def _all_cores_again() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


@pytest.fixture
def _costless(monkeypatch: pytest.MonkeyPatch, no_load: None) -> None:
    ours = [costless(key) for key in (UNGUARDED, CACHED, JUDGED)]
    monkeypatch.setattr(gateways, "guardproxies", lambda: ours)
    monkeypatch.setattr(gateways, "workers", lambda count: costless(f"workers-{count}"))
    monkeypatch.setattr(streaming, "STEPS", 2)
    monkeypatch.setattr(streaming, "QUICK_STREAMS", 1)
    monkeypatch.setattr(streaming, "AT_ONCE", 2)
    monkeypatch.setattr(whole_answers, "CONVERSATIONS", 1)
    monkeypatch.setattr(whole_answers, "TURNS", 2)
    monkeypatch.setattr(floor, "measured_apart", lambda _: runs.run().floors[0])
    for name in ("_ALONE", "_PACED", "_TWICE"):
        monkeypatch.setattr(streaming, name, Asked(3, 1))


@pytest.mark.usefixtures("_costless")
def test_a_run_measures_everything_of_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nginx, "find_nginx", lambda: None)
    said: list[str] = []
    others = [costless("other", ours=False), silent()]
    found = measure(SHORT, others, [Missing("third", "gone")], said.append)
    keys = [DIRECT, UNGUARDED, CACHED, JUDGED, "other", "silent"]

    assert [subject.key for subject in found.subjects] == keys
    assert found.machine["CPU time kept back by the host"].endswith("% of what was wanted")
    assert [missing.title for missing in found.missing] == [
        "third",
        "nginx",
        "streams of silent",
    ]
    assert {(each.target, each.connections, each.words, each.round) for each in found.loads} == {
        (key, connections, words, number)
        for key, number in itertools.product(keys, range(1))
        for connections, words in [
            *((each, 40) for each in CONNECTIONS),
            *((1, w) for w in LENGTHS),
        ]
    }
    assert [server.target for server in found.servers] == keys
    assert len(found.floors) == 1
    assert len(found.turns) == 2 * 2
    assert {each.target for each in found.streams} == {DIRECT, UNGUARDED, JUDGED, "other"}
    assert len(found.streams) == 2 * 4 + 1
    assert not any(each.broken for each in found.streams)
    assert not any(each.broken for each in found.steady)
    assert [each.streams for each in found.steady] == [0, 4, 8]
    assert [(each.workers, each.round) for each in found.workers] == [(1, 0), (2, 0)]
    assert said


@NEEDS_WRK
def test_guardproxy_as_it_is_serves_real_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(whole_answers, "CONNECTIONS", (1, 4))
    monkeypatch.setattr(whole_answers, "LENGTHS", {})
    found = Run(machine={}, versions={}, subjects=[])
    with ExitStack() as stack:
        stage = Stage(stack, tmp_path, lambda _: None, found.missing)
        upstreams = quick_upstreams(stack, tmp_path / "upstream")
        judged = [each for each in gateways.guardproxies() if each.key == JUDGED]
        proxy = [gateways.reverse_proxy(nginx.find_nginx() or "", "")] if nginx.find_nginx() else []
        targets = stage.start_all([*judged, *proxy], lambda _: upstreams.new)
        parts = WholeAnswers(SHORT, targets, upstreams, found, stage.say, itertools.count(1))
        parts.rest()
        parts.measure_round(0)
        parts.look_again()

    assert sum(each.requests for each in found.loads if each.target == JUDGED) > 0
    assert not any(each.broken for each in found.loads)
    assert not any(each.failed for each in found.loads if each.target == NGINX)
    assert all(each.rss_loaded > 0 for each in found.servers)
