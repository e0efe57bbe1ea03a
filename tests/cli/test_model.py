"""`guardproxy model check` tells what a folder is, or why it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardproxy.classifiers.manifest import EMBEDDED_FOLDER
from guardproxy.cli import main
from guardproxy.cli import model as command
from tests.classifiers.foreign import combination, injection


def check(folder: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["model", "check", str(folder), "--runs", "1", *more])


def test_the_embedded_model_is_ok() -> None:
    result = check(EMBEDDED_FOLDER)

    assert result.exit_code == 0
    assert f"{EMBEDDED_FOLDER}: ok, " in result.stdout
    assert "ms at 32 tokens" in result.stdout
    assert "not judged" not in result.stdout
    assert result.stderr == ""


def test_a_foreign_model_shows_its_labels_and_what_it_lacks(tmp_path: Path) -> None:
    result = check(injection(tmp_path / "a", weight=0.0))

    assert result.exit_code == 0
    assert "  label   SAFE: no category\n  label   INJECTION: jailbreaking\n" in result.stdout
    assert "not judged: sexual, hate_and_discrimination," in result.stdout
    assert "Warning: words: jailbreaking: the same score" in result.stderr


def test_json_says_it_for_programs(tmp_path: Path) -> None:
    injection(tmp_path / "a")
    both = combination(
        tmp_path / "both",
        [{"model": "embedded"}, {"model": "../a", "owns": ["jailbreaking"]}],
    )

    shown = json.loads(check(both, "--json").stdout)

    assert (shown["name"], shown["not_judged"]) == ("together", [])
    assert shown["models"][1]["judges"] == ["jailbreaking"]
    assert shown["models"][1]["milliseconds"].keys() == {"32", "64"}
    assert shown["default_thresholds"]["jailbreaking"] == 0.9


def test_ctrl_c_is_not_a_model_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "check_models", interrupted)
    result = check(EMBEDDED_FOLDER)

    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("broken", "says"),
    [("manifest.yaml", "is this a model folder"), ("model.onnx", "sha256 is not the one")],
)
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, broken: str, says: str) -> None:
    folder = injection(tmp_path / "a")
    if broken == "manifest.yaml":
        (folder / broken).unlink()
    else:
        (folder / broken).write_bytes(b"other")

    result = check(folder)

    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert says in line
