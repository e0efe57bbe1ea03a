"""One command, whose parts are loaded when they are called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from guardproxy.cli import main


def _every_command(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*words, name)
        if isinstance(command, click.Group):
            yield from _every_command(command, (*words, name))


COMMANDS = ("serve", "moderate", "eval", "tune", "model", "policy", "bench", "demo")


def test_help_names_every_command() -> None:
    shown = CliRunner().invoke(main, ["-h"])

    assert shown.exit_code == 0
    assert all(command in shown.output for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(main, [command, "--help"])

    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: guardproxy {command}") or "Usage:" in shown.output


def test_an_unknown_command_is_refused() -> None:
    shown = CliRunner().invoke(main, ["guard"])

    assert shown.exit_code == 2
    assert "No such command 'guard'" in shown.output


def test_the_version_is_the_packages() -> None:
    assert version("guardproxy") in CliRunner().invoke(main, ["--version"]).output


def test_the_command_loads_neither_server_nor_model() -> None:
    code = (
        "import sys; import guardproxy.cli; "
        "sys.exit(any(name in sys.modules for name in ('uvicorn', 'onnxruntime', 'starlette')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_module_is_the_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "guardproxy", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert version("guardproxy") in shown.stdout


@pytest.mark.parametrize("words", list(_every_command(main)), ids=" ".join)
def test_examples_stand_on_lines_of_their_own(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"]).output

    assert "\b" not in shown
    assert "\\b" not in shown
    _, _, examples = shown.partition("Examples:")
    assert not examples or examples.startswith("\n    guardproxy ")
