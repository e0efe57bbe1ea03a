from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardproxy.bench import command
from guardproxy.bench.command import bench
from guardproxy.bench.plan import Plan
from guardproxy.bench.records import run_from_json
from guardproxy.bench.report import report
from guardproxy.bench.stage import Say
from tests.bench.runs import run


def test_tables_go_to_the_screen_and_the_rest_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: list[Plan] = []

    def measure(
        plan: Plan, others: Sequence[object], missing: Sequence[object], say: Say
    ) -> object:
        wanted.append(plan)
        assert (list(others), list(missing)) == ([], [])
        say("round 1")
        return run()

    monkeypatch.setattr(command, "measure", measure)
    raw, picture = tmp_path / "raw.json", tmp_path / "plot.svg"
    options = ["--rounds", "1", "--seconds", "4", "--streams", "5"]
    shown = CliRunner().invoke(bench, [*options, "--raw", str(raw), "--plot", str(picture)])

    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, report(run()), "round 1\n")
    assert wanted == [Plan(1, 4, 5)]
    assert run_from_json(json.loads(raw.read_text())) == run()
    assert picture.read_text().startswith("<svg")
    assert CliRunner().invoke(bench, []).stdout == report(run())


def test_without_wrk_it_says_in_one_line_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = CliRunner().invoke(bench, [])

    assert shown.exit_code == 1
    assert shown.stderr.startswith("Error: wrk is not installed")
    assert len(shown.stderr.splitlines()) == 1
