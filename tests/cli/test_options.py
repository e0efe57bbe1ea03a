"""Options are the settings: one for each field, read as strictly, named when they are wrong."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from guardproxy.cli.options import settings_from, settings_options
from guardproxy.settings import LogLevel, Settings


@click.command()
@settings_options()
def everything(**options: str | bool | None) -> None:
    settings = settings_from(options)
    click.echo(repr(settings))


@click.command()
@settings_options(["policy", "log_level"])
def some(**options: str | bool | None) -> None:
    click.echo(settings_from(options).log_level)


def test_every_setting_has_an_option_with_its_variable_and_default() -> None:
    shown = CliRunner().invoke(everything, ["--help"], terminal_width=300).output

    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert f"[GUARDPROXY_{name.upper()}" in shown
        assert str(field.description).split(";")[0] in shown
    assert "default 8080]" in shown
    assert "debug|info|warning|error" in shown
    assert "default info]" in shown


def test_only_the_named_settings_have_options() -> None:
    shown = CliRunner().invoke(some, ["--help"]).output

    assert "--policy" in shown
    assert "--port" not in shown


def test_an_option_counts_before_its_variable_and_that_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARDPROXY_PORT", "1111")
    monkeypatch.setenv("GUARDPROXY_WORKERS", "3")
    settings = settings_from({"port": "2222", "workers": None, "log_level": "error"})

    assert (settings.port, settings.workers, settings.log_level) == (2222, 3, LogLevel.ERROR)
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], None), (["--forward-guardrails"], True), (["--no-forward-guardrails"], False)],
)
def test_a_switch_may_be_given_either_way_or_not_at_all(
    given: list[str], *, expected: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDPROXY_FORWARD_GUARDRAILS", "true")
    shown = CliRunner().invoke(everything, given).output

    assert f"forward_guardrails={expected is not False}" in shown


def test_what_is_wrong_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDPROXY_WORKERS", "many")
    shown = CliRunner().invoke(everything, ["--port", "99999", "--upstream", "ftp://sk-secret"])

    assert shown.exit_code == 2
    assert "--port: " in shown.output
    assert "--upstream: " in shown.output
    assert "GUARDPROXY_WORKERS: " in shown.output
    assert "secret" not in shown.output


def test_keys_are_not_shown() -> None:
    shown = CliRunner().invoke(everything, ["--upstream-api-key", "sk-secret"])

    assert "secret" not in shown.output


def test_what_is_wrong_is_said_in_plain_words() -> None:
    given = ["--port", "http", "--workers", "0", "--upstream", "x", "--idle-timeout", "soon"]
    shown = CliRunner().invoke(everything, given).output

    assert "--port: must be a whole number\n" in shown
    assert "--workers: must be greater than or equal to 1\n" in shown
    assert "--upstream: must be an http(s) URL" in shown
    assert "--idle-timeout: must be a number\n" in shown
