from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from guardproxy.bench import machine
from guardproxy.errors import ConfigurationError


def test_all_that_follows_runs_on_the_same_two_cores() -> None:
    before = os.sched_getaffinity(0)
    try:
        cores = machine.pin()

        assert os.sched_getaffinity(0) == set(cores) <= before
        assert 1 <= len(cores) <= machine.CORES
    finally:
        os.sched_setaffinity(0, before)


def test_another_system_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    with pytest.raises(ConfigurationError, match="needs Linux"):
        machine.pin()


def test_the_machine_is_told_in_words() -> None:
    described = machine.describe([0, 1])

    assert described["cores"].startswith("0, 1 of ")
    assert described["memory"].endswith(" GiB")
    assert all(described.values())


def test_what_the_host_keeps_back_is_a_share_of_what_was_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = iter(
        ("cpu  100 10 20 999 5 1 4 40 0 0\ncpu0 1\n", "cpu  180 10 25 9999 9 2 8 50 0 0\n")
    )
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: next(lines))

    before, after = machine.CpuTime.now(), machine.CpuTime.now()

    assert before == machine.CpuTime(worked=135, stolen=40)
    assert before.kept_back(after) == 0.1
    assert after.kept_back(after) == 0


def test_the_kernel_says_what_was_worked() -> None:
    before = machine.CpuTime.now()

    assert before.worked > 0
    assert 0 <= before.kept_back(machine.CpuTime.now()) <= 1


def test_a_processor_without_a_name_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: "processor : 0\n")

    assert machine.describe([0])["processor"] == os.uname().machine


def test_versions_are_those_of_what_does_the_work() -> None:
    assert {"Python", "guardproxy", "onnxruntime"} <= set(machine.versions())


@pytest.mark.parametrize(
    ("command", "version"),
    [
        (("sh", "-c", "echo nginx version: nginx/1.22.1 >&2"), "1.22.1"),
        (("sh", "-c", "echo wrk 4.1.0-3+b2 [epoll]; exit 1"), "4.1.0-3+b2"),
        (("sh", "-c", "echo hello"), "?"),
        (("/no/such/program",), "?"),
    ],
)
def test_a_version_is_what_a_program_says_first(command: tuple[str, ...], version: str) -> None:
    assert machine.version_said_by(*command) == version
