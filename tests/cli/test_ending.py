"""Commands whose output breaks off, as processes: what they say, and their exit codes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guardproxy.cli.ending import ended_well

FULL = Path("/dev/full")
NO_SPACE = "Error: cannot write the output: No space left on device"

needs_full = pytest.mark.skipif(not FULL.exists(), reason="not of this system")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "guardproxy", *arguments]


@needs_full
@pytest.mark.parametrize(
    "arguments", [["moderate", "hello"], ["policy", "schema"], ["--help"], ["serve", "--help"]]
)
def test_a_full_disk_is_a_line_and_2(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        ended = subprocess.run(
            command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert (ended.returncode, ended.stderr) == (2, NO_SPACE + "\n")


@needs_full
def test_nowhere_to_tell_it_is_no_verdict_either() -> None:
    with FULL.open("wb") as full:
        ended = subprocess.run(command("policy", "list"), stdout=full, stderr=full, check=False)

    assert ended.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["moderate", "hello"],
        ["moderate", "--json", "hello"],
        ["policy", "explain", "strict", "--text", "hello"],
        ["policy", "list"],
    ],
)
def test_a_reader_who_goes_is_no_verdict(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        ended = subprocess.run(
            command(*arguments), stdout=gone, stderr=subprocess.PIPE, check=False
        )

    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, b"")


def test_errors_that_are_not_of_the_output_are_left_alone() -> None:
    for error in (
        FileNotFoundError(errno.ENOENT, "none"),
        OSError(errno.ENOSPC, "full", "report.md"),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
    ):
        with pytest.raises(OSError, match=error.strerror), ended_well():
            raise error


def test_an_interruption_is_a_line_and_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="130"), ended_well():
        raise KeyboardInterrupt

    assert capsys.readouterr().err == "interrupted\n"
