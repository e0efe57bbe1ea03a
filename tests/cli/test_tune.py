"""`guardproxy tune` on our own rows, with the real model; its policies pass `policy check`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.cli import main
from tests.evals.samples import BAD, GOOD, write_jsonl

POLICY = """\
# Mine.
name: mine
input:
  - moderation_llm_v2:
      action: block  # for good
output: []
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows enough for a threshold of jailbreaking, and a policy."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {"text": f"{BAD[1]} {n}", "labels": {"jailbreaking": 1}, "role": "user"} for n in range(10)
    ]
    rows += [
        {"text": f"{text} {n}", "labels": {"jailbreaking": 0}} for text in GOOD for n in range(5)
    ]
    write_jsonl(Path("rows.jsonl"), rows)
    Path("mine.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["tune", "--data", "rows.jsonl", *arguments])


@pytest.mark.parametrize("goal", [["--fpr", "0.05"], ["--precision", "0.9"], ["--miss-cost", "20"]])
def test_a_goal_becomes_a_policy_that_can_be_used(home: Path, goal: list[str]) -> None:
    result = run(*goal, "--policy", "mine.yaml", "--write", "tuned.yaml")

    assert result.exit_code == 0, result.stderr
    before = verify_model_folder(EMBEDDED_FOLDER).manifest.default_thresholds["jailbreaking"]
    assert f"# jailbreaking: {before:.3g} -> 0." in result.stdout
    assert "recall" in result.stdout
    assert re.search(r"# law: 0\.\d+ stays, too few rows", result.stdout)
    assert "+      custom_category_thresholds: {jailbreaking: 0." in result.stdout
    assert (home / "mine.yaml").read_text() == POLICY
    checked = CliRunner().invoke(main, ["policy", "check", "tuned.yaml"])
    assert checked.exit_code == 0
    assert "# for good" in (home / "tuned.yaml").read_text()


def test_the_patch_is_one(home: Path) -> None:
    shown = run("--fpr", "0.05", "--policy", "mine.yaml", "--category", "jailbreaking").stdout

    subprocess.run(["patch", "mine.yaml"], input=shown.encode(), check=True, capture_output=True)

    assert "jailbreaking" in (home / "mine.yaml").read_text()
    assert CliRunner().invoke(main, ["policy", "check", "mine.yaml"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give one of --fpr, --precision, --miss-cost"),
        (["--fpr", "0.1", "--precision", "0.9"], "give one of"),
        (["--fpr", "1"], "Invalid value for '--fpr'"),
        (["--fpr", "nan"], "Invalid value for '--fpr': nan is not a finite number"),
        (["--precision", "nan"], "Invalid value for '--precision'"),
        (["--miss-cost", "nan"], "Invalid value for '--miss-cost'"),
        (["--miss-cost", "inf"], "Invalid value for '--miss-cost'"),
        (["--fpr", "0.1", "--direction", "output"], "no row is of the direction output"),
        (["--fpr", "0.1", "--policy", "mistral-v1"], "guardproxy policy migrate"),
        (["--fpr", "0.1", "--policy", "none.yaml"], "none.yaml: cannot be read"),
        (["--fpr", "0.1", "--write", "rows.jsonl/x.yaml"], "cannot be written"),
    ],
)
def test_what_cannot_be_used_is_one_line(home: Path, arguments: list[str], says: str) -> None:
    result = run(*arguments)

    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert says in line


@pytest.mark.parametrize("goal", [["--category", "law"], []])
def test_what_the_policy_has_switched_off_is_said(home: Path, goal: list[str]) -> None:
    off = POLICY.replace(
        "action: block  # for good",
        "action: block\n      ignore_other_categories: true\n"
        "      custom_category_thresholds: {jailbreaking: 0.5}",
    )
    (home / "off.yaml").write_text(off)
    result = run("--fpr", "0.1", "--policy", "off.yaml", "--category", "pii", *goal)

    assert result.exit_code == 2
    assert "off.yaml: has switched off pii" in result.stderr
    assert "nothing to tune" in result.stderr


def test_an_entry_that_is_missing_is_missed_in_its_direction(home: Path) -> None:
    given = ["--fpr", "0.1", "--direction", "output", "--policy", "mine.yaml"]

    assert "has no moderation_llm_v2 entry in output to tune" in run(*given).stderr
    assert "migrate" not in run(*given).stderr

    (home / "v1.yaml").write_text(POLICY.replace("_v2", "_v1"))
    assert "migrate" in run("--fpr", "0.1", "--policy", "v1.yaml").stderr
