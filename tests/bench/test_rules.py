from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.bench.gateways import CACHED, DIRECT, JUDGED, UNGUARDED
from guardproxy.bench.plan import AT_ONCE, STREAM_WORDS
from guardproxy.bench.records import Run
from guardproxy.bench.rules import LITELLM_FILTER, PORTKEY, Outcome, outcomes
from guardproxy.bench.summary import summary_of
from tests.bench.runs import MB, changed, run, stream


def judged(found: Run) -> dict[str, Outcome]:
    return {each.what: each for each in outcomes(found, summary_of(found))}


def only(found: Run, words: str) -> Outcome:
    (outcome,) = [each for what, each in judged(found).items() if words in what]
    return outcome


def test_a_run_that_meets_every_target_says_so() -> None:
    assert {each.what: each.met for each in judged(run()).values() if not each.met} == {}


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    nothing = Run(machine={}, versions={}, subjects=[])

    assert {each.met for each in judged(nothing).values()} == {None}


def test_an_absent_opponent_leaves_its_targets_open_and_no_other() -> None:
    found = run()
    without = replace(found, loads=[each for each in found.loads if each.target != PORTKEY])
    open_ones = [each.what for each in judged(without).values() if each.met is None]

    assert len(open_ones) == 2
    assert all("Portkey's" in what for what in open_ones)


@pytest.mark.parametrize(
    ("key", "fields", "words"),
    [
        (UNGUARDED, {"p50": 0.00046}, "guards off: added p50"),
        (CACHED, {"p50": 0.00046}, "verdicts cached: added p50"),
        (CACHED, {"requests": 9_000}, "cached: throughput at 32, times LiteLLM's"),
        (PORTKEY, {"requests": 9_000}, "cached: throughput at 200, times Portkey's"),
        (UNGUARDED, {"errors": 1}, "guards off or cached: errors"),
        (CACHED, {"broken": 1}, "guards off or cached: errors"),
        (JUDGED, {"p50": 0.0085}, "added p50, times LiteLLM's with its regex filter"),
        (LITELLM_FILTER, {"requests": 400}, "throughput at 32, times LiteLLM's with that filter"),
        (JUDGED, {"p50": 0.0085}, "onnxruntime alone"),
    ],
)
def test_a_figure_on_the_wrong_side_is_not_met(
    key: str, fields: dict[str, float], words: str
) -> None:
    outcome = only(changed(run(), key, **fields), words)

    assert outcome.met is False


def test_the_worse_of_both_modes_counts() -> None:
    found = run()
    slow = [
        replace(each, requests=1000) if each.target == CACHED and each.connections == 200 else each
        for each in found.loads
    ]

    assert only(replace(found, loads=slow), "throughput at 200, of that at 32").met is False


def test_streams_that_broke_are_not_on_time() -> None:
    found = run()
    broken = [replace(each, broken=each.target == JUDGED) for each in found.streams]
    outcome = only(replace(found, streams=broken), "the last end")

    assert (outcome.met, outcome.found) == (False, "1 streams broken")


@pytest.mark.parametrize(
    ("place", "change", "words"),
    [
        ((1, STREAM_WORDS), {"first": 0.02}, "first word"),
        ((AT_ONCE, STREAM_WORDS), {"longest": 2.3}, "the last end, times direct"),
        ((AT_ONCE, 2 * STREAM_WORDS), {"cpu": 0.23}, "twice as long"),
    ],
)
def test_streams_may_be_late_in_three_ways(
    place: tuple[int, int], change: dict[str, float], words: str
) -> None:
    found = run()
    streams = [
        replace(each, **change)  # type: ignore[arg-type] # every changed field is a number
        if each.target == JUDGED and (each.at_once, each.words) == place
        else each
        for each in found.streams
    ]

    assert only(replace(found, streams=streams), words).met is False


def test_a_stream_without_a_word_leaves_the_first_word_open() -> None:
    found = run()
    silent = [replace(each, first=None) for each in found.streams]

    assert only(replace(found, streams=silent), "first word").met is None


def test_late_turns_that_cost_more_are_not_met() -> None:
    found = run()
    turns = [replace(each, cpu=0.01 + each.turn / 1000) for each in found.turns]

    assert only(replace(found, turns=turns), "conversation").met is False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"idle": 0.011}, "CPU at rest"),
        ({"ready": 3.1}, "ready after"),
        ({"rss_loaded": 351 * MB}, "RSS after load"),
    ],
)
def test_a_process_has_bounds(change: dict[str, float], words: str) -> None:
    found = run()
    servers = [replace(each, **change) for each in found.servers]  # type: ignore[arg-type] # numbers

    assert only(replace(found, servers=servers), words).met is False


def test_memory_that_grows_with_streams_is_not_met() -> None:
    found = run()
    steady = [replace(each, rss=each.rss + each.streams * 10_000) for each in found.steady]

    assert only(replace(found, steady=steady), "RSS after 2,000 streams").met is False


def test_a_second_worker_must_help() -> None:
    found = run()
    workers = [replace(each, rate=30.0) for each in found.workers]

    assert only(replace(found, workers=workers), "2 workers").met is False


@given(slower=st.floats(1, 100))
def test_being_slower_never_meets_what_was_missed(slower: float) -> None:
    before = judged(run())
    p50 = 0.006 * slower
    after = judged(changed(run(), JUDGED, p50=p50, requests=800 / slower))

    assert not [what for what, each in after.items() if each.met and not before[what].met]


def test_a_stream_of_the_upstream_itself_is_the_measure() -> None:
    found = run()
    without = [each for each in found.streams if each.target != DIRECT]
    slow = [*without, stream(DIRECT, AT_ONCE, STREAM_WORDS, 1.0, 0.1)]

    assert only(replace(found, streams=slow), "times direct").met is False
