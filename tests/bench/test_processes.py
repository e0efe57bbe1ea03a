from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from guardproxy.bench.processes import (
    answers,
    free_port,
    plain_environment,
    rss_of,
    running,
)
from guardproxy.bench.upstream import command
from guardproxy.errors import ConfigurationError
from tests.servers import eventually

NOBODY = 2**22 + 1
"""More than Linux lets a process id be."""
# Leaves a child behind that takes no notice of SIGTERM, as a supervisor that is killed would.
STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code])
from http.server import *
class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Quiet).serve_forever()
"""


def test_a_server_is_ready_counted_and_ended() -> None:
    port = free_port()
    with running("upstream", command(port), port, ready="/") as server:
        before = server.cpu_seconds()
        while server.cpu_seconds() == before:
            assert answers(port, "/")

        assert server.ready_seconds > 0
        assert server.rss_bytes() > 1_000_000
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_whatever_a_server_has_started_counts_and_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("guardproxy.bench.processes._GRACE_SECONDS", 0.2)
    monkeypatch.chdir(tmp_path)
    port = free_port()
    stubborn = [sys.executable, "-c", STUBBORN, str(port)]
    with running("stubborn", stubborn, port, ready="/") as server:
        own = rss_of(server.session)
        eventually(lambda: server.rss_bytes() > own + 1_000_000, "its child")
    # Whoever has lost his parent is waited for by somebody else.
    eventually(lambda: server.rss_bytes() == 0, "the end of all")


def test_a_server_that_ends_says_why() -> None:
    code = "import sys; print('first'); sys.exit('no such model')"

    with (
        pytest.raises(
            ConfigurationError, match=r"^Mine ended with 1; its last line: no such model"
        ),
        running("Mine", [sys.executable, "-c", code], free_port(), ready="/"),
    ):
        pytest.fail("it ended")


def test_a_server_that_hangs_is_given_up() -> None:
    code = "import time; time.sleep(600)"

    with (
        pytest.raises(ConfigurationError, match="is not ready in time; its last line: nothing"),
        running("Mine", [sys.executable, "-c", code], free_port(), ready="/", patience=0.2),
    ):
        pytest.fail("it hung")


def test_a_program_that_is_not_there_is_one_line() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"^Mine: cannot start /no/such/program: "),
        running("Mine", ["/no/such/program"], free_port(), ready="/"),
    ):
        pytest.fail("it cannot start")


def test_an_error_is_no_answer() -> None:
    port = free_port()
    serves = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with running("files", serves, port, ready="/"):
        assert not answers(port, "/no-such-file")
    assert not answers(port, "/")


def test_settings_of_guardproxy_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDPROXY_POLICY", "strict")

    assert "GUARDPROXY_POLICY" not in plain_environment()
    assert plain_environment()["PATH"] == os.environ["PATH"]


def test_a_process_that_is_gone_takes_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert rss_of(ended.pid) == 0
    assert rss_of(NOBODY) == 0
