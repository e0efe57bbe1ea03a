"""A sample of the composed cases, and that they can find what they look for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.deep.answers import STREAMS, answer_case, hears
from tests.deep.bodies import Plan, cut, folded
from tests.deep.canary import DISGUISES, ONE_WORD, sings
from tests.deep.requests import DOORS, request_case
from tests.deep.run import MODES, Figures, driving, run_cases
from tests.dialects.bodies import CANARY

SAMPLE = 2_000
SHARES = 2
"""For two workers of pytest."""
SEEDS = [f"sample:{number}" for number in range(300)]


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
    assert {case.mode for case in answers} == set(MODES)


def test_a_client_hears_what_is_split_over_events() -> None:
    case = next(case for case in map(answer_case, SEEDS) if "over events" in case.words)
    plan = Plan(Random(1))  # noqa: S311 - must be repeatable, not secret
    pieces = cut(plan, case.song)
    events = "".join(f'data: {{"a": [{{"b": "{piece}"}}]}}\r\n\r\n' for piece in pieces)

    assert hears(case, events.replace("\\", "\\\\").encode())
    assert not hears(case, events[: events.rindex("data")].encode())


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
