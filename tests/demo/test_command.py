from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from guardproxy.cli import main
from guardproxy.demo import command


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    # Tests that run in the background of a shell ignore Ctrl-C, and so would what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-m", "guardproxy", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A real proxy's environment must not reach the demo.
        env=os.environ | {"GUARDPROXY_CLIENT_KEYS": "k", "GUARDPROXY_POLICY": "none.yaml"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_tour_answers_refuses_and_cuts_in_order_and_quietly() -> None:
    with started() as process:
        shown, errors = process.communicate()

    assert (process.returncode, errors) == (0, "")
    assert shown.count("ok  ") == 3
    answered, refused, cut = re.split(r"^[23]  ", shown, flags=re.MULTILINE)
    assert "and let it drain." in answered
    assert "HTTP 403 Content blocked by guardrail (code: dangerous" in refused
    assert refused.index('"violated": true') < refused.index('"violated": false')
    assert "the API was never asked" in refused
    assert "A baker gave each loaf a name" in cut
    assert "detonator" not in cut
    assert "finish_reason: content_filter" in cut
    assert "serve --upstream https://api.openai.com/v1" in cut
    assert 'base_url="http://127.0.0.1:8080/v1"' in cut


def test_it_can_be_kept_running_until_ctrl_c() -> None:
    with started("--keep") as process:
        assert process.stdout is not None
        address = next(
            found[1] for line in process.stdout if (found := re.match(r"Still .* (http\S+)", line))
        )
        models = httpx.get(f"{address}/models", trust_env=False)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()

    assert models.status_code == 200
    assert (process.returncode, errors) == (130, "")


def test_the_example_upstream_runs_alone_until_it_is_terminated() -> None:
    with started("--upstream-only") as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[3]
        answer = httpx.post(
            f"{address}/chat/completions",
            json={"messages": [{"role": "user", "content": "hello"}]},
            trust_env=False,
        )
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()

    assert answer.json()["choices"][0]["message"]["content"].startswith("Hello!")
    assert (process.returncode, errors) == (0, "")


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(command, "find_spec", nothing)

    result = CliRunner().invoke(main, ["demo"])

    assert result.exit_code == 1
    assert result.output == (
        'Error: the demo needs the openai client: pip install "guardproxy[demo]"\n'
    )


@pytest.mark.parametrize(
    ("called", "found", "shown"),
    [
        (".venv/bin/guardproxy", None, ".venv/bin/guardproxy"),
        ("/elsewhere/guardproxy", None, "/elsewhere/guardproxy"),
        ("/elsewhere/guardproxy", "/usr/bin/guardproxy", "guardproxy"),
        ("/x/__main__.py", None, "guardproxy"),
    ],
)
def test_how_to_call_it_again_is_shown_as_it_was_called(
    monkeypatch: pytest.MonkeyPatch, called: str, found: str | None, shown: str
) -> None:
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / called)])
    monkeypatch.setattr("shutil.which", lambda _: found)

    assert command._program() == shown


def test_ctrl_c_ends_it_with_the_status_a_shell_expects() -> None:
    async def interrupted() -> bool:
        raise KeyboardInterrupt

    assert command._run(interrupted()) == 130
