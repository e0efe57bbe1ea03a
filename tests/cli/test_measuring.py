"""What `eval` and `tune` share: a bar for people, and an end that is clean when it is early."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from guardproxy.cli import main, measuring
from guardproxy.cli.measuring import measured
from guardproxy.content import Passage
from guardproxy.errors import ClassifierDeadline, ModelError
from guardproxy.verdict import Scores
from tests.evals.samples import judged_by, records, write_jsonl
from tests.fakes import KeywordClassifier


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_jsonl(tmp_path / "rows.jsonl", records())


def test_everything_is_read_before_anything_is_judged(data: Path) -> None:
    wanted = measured([data], sample=2, bare=False, scores=None)

    assert len(wanted.rows) == 4
    assert wanted.files == [data]
    with pytest.raises(click.UsageError, match="classifier-threads"):
        measured([data], sample=None, bare=False, scores=None, classifier_threads="none")


def test_a_classifier_that_fails_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(KeywordClassifier(error=ClassifierDeadline("too slow")), monkeypatch)

    result = CliRunner().invoke(main, ["eval", "--data", str(data)])

    assert result.exit_code == 2
    assert result.stderr == "Error: not judged: too slow\n"


def test_a_model_that_does_not_work_is_one_line(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*args: object, **more: object) -> None:
        raise ModelError("model.onnx: does not load")

    monkeypatch.setattr(measuring, "open_judge", opened)

    result = CliRunner().invoke(main, ["eval", "--data", str(data)])

    assert result.exit_code == 2
    assert "Error: model.onnx: does not load" in result.stderr


@pytest.mark.parametrize("kept", [True, False])
def test_an_interruption_ends_with_a_line(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    kept: bool,
) -> None:
    class Interrupted(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
            raise AssertionError

    judged_by(Interrupted(), monkeypatch)
    # A worker of a test run may ignore the signal, which a shell's child does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    more = ["--scores", str(tmp_path / "scores.db")] if kept else []

    result = CliRunner().invoke(main, ["eval", "--data", str(data), *more])

    assert result.exit_code == 130
    says = f"interrupted; the scores so far are in {tmp_path / 'scores.db'}"
    assert result.stderr.strip() == (says if kept else "interrupted")


def test_somebody_at_a_terminal_sees_a_bar(data: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "guardproxy", "eval", "--data", str(data), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:
            pass  # how a terminal says that nobody is on its other end any more
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"{")
    os.close(ours)

    assert b"judging" in shown
    assert process.returncode == 0
