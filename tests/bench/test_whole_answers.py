from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardproxy.bench import whole_answers
from guardproxy.bench.gateways import DIRECT, Target, direct
from guardproxy.bench.processes import Server
from guardproxy.bench.records import Run
from guardproxy.bench.whole_answers import converse, run_load, turned
from guardproxy.bench.words import Prompts
from guardproxy.bench.wrk import Load
from tests.servers import upstream


def test_every_other_round_goes_the_other_way() -> None:
    targets = [Target(str(each), Server("", 0, "", 0.0), {}) for each in range(3)]

    assert [each.key for each in turned(targets, 2)] == ["0", "1", "2"]
    assert [each.key for each in turned(targets, 3)] == ["2", "1", "0"]


def test_a_turn_sends_all_turns_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_answers, "CONVERSATIONS", 2)
    monkeypatch.setattr(whole_answers, "TURNS", 3)
    found = Run(machine={}, versions={}, subjects=[])
    with upstream() as api:
        url = api.url.removesuffix("/v1")
        converse(direct(Server("api", 0, url, 0.0)), Prompts(1), found)
        lengths = [len(request.json()["messages"]) for request in api.requests]
        first = api.requests[1].json()["messages"]

    assert lengths == [2 * turn + 1 for turn in range(3)] * 2
    assert [message["role"] for message in first] == ["user", "assistant", "user"]
    assert [(each.target, each.turn) for each in found.turns] == [
        (DIRECT, turn) for turn in range(1, 4)
    ] * 2


@pytest.mark.parametrize("repeated", [True, False])
def test_only_what_is_asked_again_and_again_is_always_the_same(
    repeated: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "wrk"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/said\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    target = Target("any", Server("", 0, "http://127.0.0.1:9", 0.0), {"x-key": "k"}, repeated)
    run_load(target, Load(3, 1, 40, 17))
    said = (tmp_path / "said").read_text().splitlines()

    assert said[-2:] == (["0", "fixed"] if repeated else ["17", "new"])
    assert said[said.index("--header") + 1] == "x-key: k"
    assert json.loads(said[said.index("--connections") + 1]) == 3
