"""How other gateways are found and started; whether they answer is asked by the run itself."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from bench import __main__ as program
from bench.opponents import LITELLM, LITELLM_FILTER, LLM_SHIELD, PORTKEY, installed
from guardproxy.bench import rules
from guardproxy.bench.gateways import Gateway, Start
from guardproxy.bench.plan import Plan
from guardproxy.bench.records import Missing, Run
from guardproxy.bench.report import report
from tests.bench.runs import run


def put(file: Path, text: str = "#!/bin/sh\necho 1.2.3\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


@pytest.fixture
def opponents(tmp_path: Path) -> Path:
    for name in ("litellm", "llm-shield-proxy"):
        put(tmp_path / name / "bin" / name)
        put(tmp_path / name / "bin" / "python")
    package = tmp_path / "portkey" / "node_modules" / "@portkey-ai" / "gateway"
    put(package / "package.json", json.dumps({"version": "1.2.3"}))
    put(package / "build" / "start-server.js")
    return tmp_path


def test_what_is_absent_is_told_of(tmp_path: Path) -> None:
    found = list(installed(tmp_path))

    assert all(isinstance(each, Missing) for each in found)
    assert all("bench/README.md" in each.reason for each in found if isinstance(each, Missing))
    assert len(found) == 4


def test_what_is_there_is_run_by_its_own_program(opponents: Path, tmp_path: Path) -> None:
    found = [each for each in installed(opponents) if isinstance(each, Gateway)]
    start = Start("http://127.0.0.1:17", 18, tmp_path)

    assert [each.key for each in found] == [LITELLM, LITELLM_FILTER, PORTKEY, LLM_SHIELD]
    assert {each.version for each in found} == {"1.2.3"}
    for each in found:
        told = [
            *each.command(start),
            *each.environment(start).values(),
            *each.headers(start).values(),
        ]
        if (tmp_path / "config.yaml").exists():
            told.append((tmp_path / "config.yaml").read_text())
        assert any(str(opponents) in word for word in each.command(start))
        assert any("18" in word for word in each.command(start))
        assert any("http://127.0.0.1:17/v1" in word for word in told)
        assert not each.ours


def test_the_filter_blocks_in_both_directions_and_is_tried(opponents: Path, tmp_path: Path) -> None:
    found = {each.key: each for each in installed(opponents) if isinstance(each, Gateway)}
    found[LITELLM_FILTER].command(Start("http://127.0.0.1:17", 18, tmp_path))
    (guard,) = yaml.safe_load((tmp_path / "config.yaml").read_text())["guardrails"]

    assert guard["litellm_params"]["mode"] == ["pre_call", "post_call"]
    assert {each["action"] for each in guard["litellm_params"]["patterns"]} == {"BLOCK"}
    assert "@example.com" in (found[LITELLM_FILTER].refuses or "")
    assert found[LITELLM].refuses is None


def test_targets_speak_of_the_opponents_by_their_keys() -> None:
    assert (rules.LITELLM, rules.LITELLM_FILTER, rules.PORTKEY) == (
        LITELLM,
        LITELLM_FILTER,
        PORTKEY,
    )


def test_a_table_takes_the_place_that_is_marked_for_it() -> None:
    page = "a\n<!-- table: bench -->\nold\n<!-- end of table -->\nb\n<!-- end of table -->\n"

    assert program.filled(page, "bench", r"new \1") == (
        "a\n<!-- table: bench -->\n\nnew \\1\n\n<!-- end of table -->\nb\n<!-- end of table -->\n"
    )
    with pytest.raises(click.ClickException, match="no place for micro"):
        program.filled(page, "micro", "new")


def test_a_run_writes_the_page_the_picture_and_the_raw_figures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted: list[tuple[Plan, int, int]] = []

    def measured(plan: Plan, others: list[Gateway], missing: list[Missing]) -> Run:
        wanted.append((plan, len(others), len(missing)))
        return run()

    monkeypatch.setattr(program, "measured", measured)
    monkeypatch.setattr(program, "alone", lambda name, _: f"| {name} |\n")
    page = tmp_path / "performance.md"
    page.write_text(program.PAGE.read_text())
    options = ["--page", str(page), "--opponents", str(tmp_path), "--rounds", "1"]
    shown = CliRunner().invoke(program.main, options)

    assert shown.exit_code == 0, shown.output
    assert wanted == [(Plan(1, 2, 2000), 0, 4)]
    assert report(run()).strip() in page.read_text()
    assert "| micro |" in page.read_text()
    assert "| holds |" in page.read_text()
    assert json.loads((tmp_path / "performance.json").read_text())["loads"]
    assert (tmp_path / "performance.svg").read_text().startswith("<svg")


def test_rooms_that_are_not_there_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "find_spec", lambda _: None)

    assert program.alone("micro", 1) is None
