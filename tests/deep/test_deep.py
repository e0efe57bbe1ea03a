"""A sample of the composed cases, and that they can find what they look for."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from random import Random

import pytest

from guardproxy.events import Outcome
from guardproxy.proxy.trail import Trail
from guardproxy.verdict import Direction
from tests.deep.answers import STREAMS, answer_case
from tests.deep.bodies import Plan, cut, folded
from tests.deep.canary import DISGUISES, ONE_WORD, sings
from tests.deep.hearing import heard
from tests.deep.policies import BUFFER, EXEMPT, HOLD, LIVE, POLICIES
from tests.deep.requests import DOORS, request_case
from tests.deep.run import Figures, Got, driving, live_faults, run_cases
from tests.dialects.bodies import CANARY

SAMPLE = 2_000
SHARES = 2
"""For two workers of pytest."""
SEEDS = [f"sample:{number}" for number in range(400)]
SHAPES = frozenset(
    {
        "over channels", "unknown parts", "code over turns", "header", "in its head", "inline",
        "weak inline", "malformed inline", "ignored inline", "refused inline", "harmless inline",
        "exempt", "in a result",
    }
)  # fmt: skip


@pytest.mark.parametrize("disguise", [*DISGUISES, *ONE_WORD])
def test_the_judge_sees_through_every_disguise(disguise: str) -> None:
    hidden = {**DISGUISES, **ONE_WORD}[disguise](CANARY)

    assert sings(hidden)
    assert sings(f"well then, {hidden} and so on")
    assert not sings(hidden[: len(hidden) // 2])


def test_a_case_follows_from_its_seed() -> None:
    assert request_case("a:1") == request_case("a:1")
    assert answer_case("a:1").chunks == answer_case("a:1").chunks
    assert request_case("a:1") != request_case("a:2")


def test_the_cases_reach_every_route_and_every_stream() -> None:
    requests = [request_case(seed) for seed in SEEDS]
    answers = [answer_case(seed) for seed in SEEDS]
    names = {dialect.name for dialect in DOORS.values()}
    streaming = {name for name in names if STREAMS[name]}

    assert {case.words[0] for case in requests} == names
    assert {case.words[0] for case in answers if "stream" in case.words} == streaming
    assert {case.mode for case in answers} == {HOLD, BUFFER, LIVE, EXEMPT}
    assert {case.ruling.policy for case in requests} >= POLICIES.keys() - {BUFFER, LIVE}
    said = [*(case.words for case in requests), *(case.words for case in answers)]
    assert {word for words in said for word in words} >= SHAPES


def test_a_client_hears_what_is_split_over_events() -> None:
    case = next(case for case in map(answer_case, SEEDS) if "over events" in case.words)
    plan = Plan(Random(1))  # noqa: S311 - must be repeatable, not secret
    pieces = cut(plan, case.song)
    events = "".join(f'data: {{"a": [{{"b": "{piece}"}}]}}\r\n\r\n' for piece in pieces)

    assert case.heard_in(events.replace("\\", "\\\\").encode())
    assert not case.heard_in(events[: events.rindex("data")].encode())


def test_a_client_hears_what_is_split_over_channels() -> None:
    thought, said = b'data: {"a": "so, the canary"}\n\n', b'data: {"b": " sings of it"}\n\n'
    pieces = ("the canary", " sings of it")

    assert heard("the canary sings of it", thought + said, pieces)
    assert not heard("the canary sings of it", thought, pieces)


ENDING = b'data: {"guardrails": {}}\n\n'
SUNG = json.dumps({"a": CANARY}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("writes", "outcome", "fault"),
    [
        ((b"1", SUNG, ENDING), Outcome.BLOCKED, None),
        ((SUNG, b"2", ENDING), Outcome.BLOCKED, "went on"),
        ((b"1", SUNG, b""), Outcome.BLOCKED, "not ended"),
        ((b"1", SUNG, ENDING), Outcome.PASSED, "told as passed"),
        ((b"2", SUNG, ENDING), Outcome.BLOCKED, "not what"),
    ],
)
def test_a_live_stream_ends_where_it_is_heard(
    writes: tuple[bytes, ...], outcome: Outcome, fault: str | None
) -> None:
    case = dataclasses.replace(
        answer_case("a:1"), chunks=(b"1", SUNG, b"2"), song=CANARY, pieces=()
    )
    case = dataclasses.replace(case, chunks=(SUNG, b"2")) if writes[0] == SUNG else case
    trail = Trail("id", 0.0, outcome=outcome, direction=Direction.OUTPUT)
    faults = live_faults(case, Got(200, (), writes, whole=True, trail=trail))

    assert len(faults) == (fault is not None)
    assert fault is None or fault in faults[0]


def test_arguments_are_folded_and_still_hold_the_sentence() -> None:
    plan = Plan(Random(2))  # noqa: S311 - must be repeatable, not secret
    for _ in range(50):
        assert sings(folded(plan, CANARY))


async def test_an_unguarded_door_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = Figures()
    async with driving(tmp_path) as driver:
        monkeypatch.setattr("tests.deep.canary.sings", lambda _: False)
        for seed in SEEDS[:40]:
            await driver.run(seed, figures)

    assert figures.canary_bytes
    assert any("reached the upstream" in each for each in figures.findings)
    assert any("reached the client" in each for each in figures.findings)


@pytest.mark.parametrize("share", range(SHARES))
def test_no_case_of_the_sample_gets_past(tmp_path: Path, share: int) -> None:
    # A request and an answer for each number.
    figures = asyncio.run(run_cases(tmp_path, "sample", range(share, SAMPLE // 2, SHARES)))

    assert not figures.findings, "\n".join(figures.findings)
    assert figures.cases == SAMPLE // SHARES
    assert figures.canary_bytes == 0
