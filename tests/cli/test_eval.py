"""`guardproxy eval` on our own rows, with the real model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.cli import eval as command
from guardproxy.cli import main
from tests.evals.samples import BAD, judged_by, records, write_csv, write_jsonl
from tests.fakes import KeywordClassifier


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", records())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that looks for words, where the model's own scores do not matter."""
    judged_by(KeywordClassifier(), monkeypatch)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["eval", *map(str, arguments)])


def report(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_rows_are_measured_with_the_real_model(data: Path) -> None:
    result = run("--data", data)

    assert result.exit_code == 0
    assert "**Sources never trained on** (8 rows of 2 sources)" in result.stdout
    assert "| jailbreaking | 1 / 4 |" in result.stdout
    assert all(text not in result.stdout for text in BAD)


def test_json_says_the_same_for_programs(data: Path) -> None:
    shown = report(run("--data", data, "--json", "--bootstrap", "0", "--bare", "--sample", "3"))

    (section,) = shown["sections"]
    assert section["rows"] == 6
    assert [each["name"] for each in section["slices"]["source"]] == ["harmful", "harmless"]
    harmful = section["slices"]["source"][0]
    assert harmful["found"]["value"] >= 2 / 3
    assert shown["origin"]["judged"] == "the model alone (--bare)"
    assert shown["origin"]["command"].endswith("--sample 3 --bare --bootstrap 0")
    assert "at most 3" in shown["origin"]["sample"]


def test_csv_is_data_too(tmp_path: Path) -> None:
    rows = [["text", "jailbreaking", "benign"], [BAD[1], "1", "0"], ["good morning", "0", "1"]]
    file = write_csv(tmp_path / "rows.csv", rows)

    section = report(run("--data", file, "--json"))["sections"][0]

    assert section["benign"] == 1
    assert section["slices"]["source"][0]["found"]["value"] == 1


@pytest.mark.usefixtures("quick")
def test_sources_of_the_run_are_reported_apart(data: Path, tmp_path: Path) -> None:
    run_file = tmp_path / "run.json"
    run_file.write_text('{"sources": {"harmful": 4}}')

    shown = report(run("--data", data, "--trained-on", run_file, "--json"))

    assert [each["sources"] for each in shown["sections"]] == [["harmless"], ["harmful"]]
    assert shown["origin"]["trained_on"].startswith("1 sources, by ")


@pytest.mark.usefixtures("quick")
def test_the_manifest_may_say_what_was_trained_on(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(EMBEDDED_FOLDER, folder)
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    manifest["training"] = {"sources": ["harmless"], "hours": 1}
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))

    shown = report(run("--data", data, "--model", folder, "--json"))

    assert [each["sources"] for each in shown["sections"]] == [["harmful"], ["harmless"]]
    assert shown["origin"]["trained_on"] == "1 sources, by the model's manifest"


@pytest.mark.usefixtures("quick")
def test_a_policy_and_unfinished_answers_are_measured(data: Path, tmp_path: Path) -> None:
    answers = write_jsonl(
        tmp_path / "answers.jsonl", [{**record, "role": "assistant"} for record in records()]
    )

    shown = report(
        run(
            "--data",
            data,
            "--data",
            answers,
            "--policy",
            "monitor-only",
            "--partial",
            "--buried",
            "--behind",
            "--json",
        )
    )

    assert [each["rows"] for each in shown["partial"]] == [8] * 5
    assert shown["sections"][0]["blocked_benign"]["value"] == 0
    assert shown["origin"]["policy"].startswith("monitor-only@")
    assert shown["buried"] is None, "nothing is blocked by this policy"
    assert shown["behind"] is None, "nothing is blocked by this policy"
    assert "--partial --buried --behind" in shown["origin"]["command"]


@pytest.mark.usefixtures("quick")
def test_reports_plots_and_page_are_written(data: Path, tmp_path: Path) -> None:
    out, page = tmp_path / "new" / "report", tmp_path / "pages" / "quality.md"

    result = run("--data", data, "--output", out, "--page", page)

    assert result.exit_code == 0
    assert json.loads((out / "report.json").read_text())["sections"][0]["rows"] == 8
    assert "plots/reliability.png" in (out / "report.md").read_text()
    assert (out / "plots" / "reliability.png").is_file()
    assert page.read_text() == result.stdout


@pytest.mark.usefixtures("quick")
def test_a_rerun_takes_its_scores_from_the_file(data: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.db"
    first, again = (report(run("--data", data, "--scores", scores, "--json")) for _ in range(2))

    assert first["sections"] == again["sections"]
    assert scores.stat().st_size > 0


@pytest.mark.usefixtures("quick")
def test_without_matplotlib_a_line_says_how_to_get_plots(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "can_plot", lambda: False)

    result = run("--data", data, "--output", tmp_path / "out")

    assert result.exit_code == 0
    assert result.stderr == 'no plots: they need matplotlib: pip install "guardproxy[eval]"\n'
    assert "plots" not in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "none.jsonl"], "none.jsonl: No such file or directory"),
        (["--data", "bad.jsonl"], "bad.jsonl:2: labels.rude: is no category"),
        (["--data", "ok.jsonl", "--trained-on", "bad.jsonl"], "bad.jsonl:2: is no JSON"),
        (["--data", "ok.jsonl", "--model", "."], "manifest.yaml: No such file or directory"),
        (["--data", "ok.jsonl", "--policy", "nobody"], "no policy 'nobody' is shipped"),
        (["--data", "ok.jsonl", "--scores", "bad.jsonl"], "bad.jsonl: cannot keep scores"),
        (["--data", "ok.jsonl", "--page", "ok.jsonl/page.md"], "cannot be written"),
        (["--data", "ok.jsonl", "--output", "ok.jsonl/out"], "cannot be written"),
        ([], "Missing option '--data'"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_jsonl(Path("ok.jsonl"), records()[:1])
    write_jsonl(Path("bad.jsonl"), [records()[0], {"text": "x", "labels": {"rude": 1}}])

    result = run(*arguments)

    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert says in line


@pytest.mark.usefixtures("quick")
def test_the_command_that_is_told_gives_the_same_figures(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trained = tmp_path / "run.json"
    trained.write_text('{"sources": ["harmless"]}')
    given = [
        "--data", "rows.jsonl", "--policy", "strict", "--trained-on", "run.json",
        "--bootstrap", "5", "--seed", "3",
    ]  # fmt: skip
    command = report(run(*given, "--json"))["origin"]["command"]

    assert command == f"guardproxy eval {' '.join(given)}"
    assert report(run(*command.split()[2:], "--json"))["origin"]["command"] == command


@pytest.mark.usefixtures("quick")
def test_the_command_that_is_told_names_no_paths_of_the_machine(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    data.rename(tmp_path / "set" / "rows.jsonl")

    whole = report(run("--data", tmp_path / "set", "--model", EMBEDDED_FOLDER, "--json"))
    monkeypatch.chdir(tmp_path / "set")
    here = report(run("--data", ".", "--json"))

    assert whole["origin"]["command"] == "guardproxy eval --data set --model model"
    assert here["origin"]["command"] == "guardproxy eval --data set"
