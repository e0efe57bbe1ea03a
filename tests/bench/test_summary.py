from __future__ import annotations

from dataclasses import replace

import pytest

from guardproxy.bench.gateways import DIRECT, JUDGED
from guardproxy.bench.plan import AT_ONCE, STREAM_WORDS, TURNS
from guardproxy.bench.records import Run, TurnRecord
from guardproxy.bench.summary import summary_of
from tests.bench.runs import load, run, stream

EMPTY = Run(machine={}, versions={}, subjects=[])


def test_a_figure_is_the_median_of_the_rounds_and_failures_add_up() -> None:
    rounds = [
        replace(load(DIRECT, 1), p50=p50, errors=errors, requests=requests)
        for p50, errors, requests in ((0.001, 1, 101), (0.003, 0, 300), (0.002, 2, 202))
    ]
    cell = summary_of(replace(EMPTY, loads=rounds)).cell(DIRECT, 1)

    assert cell is not None
    assert (cell.p50, cell.rate, cell.failed, cell.requests) == (0.002, 100.0, 3, 603)
    assert cell.cpu == pytest.approx(3 / 603)


def test_a_round_without_an_answer_has_no_latency_and_no_rate() -> None:
    silent = replace(load(DIRECT, 1), requests=0, p50=0.0, broken=1)
    alone = summary_of(replace(EMPTY, loads=[silent])).cell(DIRECT, 1)
    beside = summary_of(replace(EMPTY, loads=[silent, load(DIRECT, 1)])).cell(DIRECT, 1)

    assert alone is not None
    assert beside is not None
    assert (alone.p50, alone.rate, alone.failed, alone.cpu) == (None, 0.0, 1, None)
    assert beside.p50 == load(DIRECT, 1).p50


def test_what_is_added_needs_both() -> None:
    summary = summary_of(run())

    assert summary.added(JUDGED, DIRECT) == pytest.approx(0.0059)
    assert summary.added(JUDGED, "nobody") is None


def test_the_worst_stream_of_all_rounds_is_kept() -> None:
    good = stream(JUDGED, AT_ONCE, STREAM_WORDS, 2.0, 0.1)
    slow = replace(good, longest=3.0, broken=1)
    nothing = replace(good, first=None, total=None, longest=None)
    streams = summary_of(replace(EMPTY, streams=[good, slow, nothing])).streams
    cell = streams[JUDGED, AT_ONCE, STREAM_WORDS]

    assert (cell.first, cell.total, cell.longest, cell.broken) == (0.005, 2.0, 3.0, 1)
    silent = summary_of(replace(EMPTY, streams=[nothing])).streams
    assert silent[JUDGED, AT_ONCE, STREAM_WORDS].longest is None


def test_turns_stand_in_their_order() -> None:
    turns = [TurnRecord(JUDGED, 0, turn, turn / 10) for turn in range(TURNS, 0, -1)]

    assert summary_of(replace(EMPTY, turns=turns)).turns[JUDGED] == [
        turn / 10 for turn in range(1, TURNS + 1)
    ]


def test_a_run_without_the_model_alone_has_no_floor() -> None:
    assert summary_of(EMPTY).floor is None
    assert summary_of(run()).floor is not None
