"""How the server is set up; that it serves, reloads and ends is tested as a process."""

from __future__ import annotations

import contextlib
import gc
import logging
import multiprocessing
import os
import pickle
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from guardproxy.app import Application
from guardproxy.cli import serve as module
from guardproxy.cli.serve import serve, server_config, worker
from guardproxy.proxy.connection import BoundedProtocol
from guardproxy.settings import LogLevel, Settings


def test_the_server_has_one_parser_and_no_voice_of_its_own() -> None:
    settings = Settings(header_bytes=2_000, target_bytes=1_000, shutdown_timeout=0.5)
    config = server_config("guardproxy.cli.serve:worker", settings, factory=True)

    assert config.http is BoundedProtocol
    assert config.bounds.unread_bytes == 2_000 + 1_000 + 1_024
    assert (config.ws, config.lifespan) == ("none", "on")
    assert not any((config.server_header, config.access_log, config.proxy_headers))
    assert config.timeout_graceful_shutdown == 1
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_the_configuration_reaches_another_process() -> None:
    config = server_config("guardproxy.cli.serve:worker", Settings(workers=3), factory=True)

    assert pickle.loads(pickle.dumps(config)).workers == 3  # noqa: S301 - our own


@pytest.mark.parametrize("in_worker", [False, True])
def test_only_a_worker_installs_its_log_first_of_all(
    monkeypatch: pytest.MonkeyPatch, *, in_worker: bool
) -> None:
    done: list[str] = []

    def install(*_: object) -> None:
        done.append("installed")

    monkeypatch.setattr(multiprocessing, "parent_process", lambda: in_worker or None)
    monkeypatch.setattr(module, "install", install)
    monkeypatch.setattr(module, "Finalize", lambda *_, **__: done.append("to be ended"))
    monkeypatch.setattr(module, "_expect_signals", lambda: done.append("signals"))
    server_config("guardproxy.cli.serve:worker", Settings())

    assert done == (["installed", "to be ended", "signals"] if in_worker else [])


def test_a_signal_at_start_up_ends_with_0_and_a_reload_is_not_fatal() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        module._expect_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        for ending in (signal.SIGTERM, signal.SIGINT):
            with pytest.raises(SystemExit, match=r"^0$"):
                os.kill(os.getpid(), ending)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_settings_travel_to_workers_through_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        given = Settings(
            upstream="https://a.example/v1",
            upstream_api_key="k1",  # type: ignore[arg-type] # pydantic makes it a secret
            client_keys="k2",  # type: ignore[arg-type] # as above
            log_level=LogLevel.ERROR,
            forward_guardrails=True,
            classifier_threads=2,
        )
        module._export(given)
        exported = {k: v for k, v in os.environ.items() if k.startswith("GUARDPROXY_")}
    for name, value in exported.items():
        monkeypatch.setenv(name, value)

    assert Settings() == given
    assert isinstance(worker(multiprocessing.get_context("spawn").SimpleQueue()), Application)


def test_sighup_goes_to_every_worker_and_restarts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    supervisor = module._Workers.__new__(module._Workers)
    processes: Any = [SimpleNamespace(pid=pid) for pid in (11, None, 12)]
    supervisor.processes = processes
    supervisor.handle_hup()

    assert sent == [(11, signal.SIGHUP), (12, signal.SIGHUP)]


def test_an_address_of_version_6_is_listened_on() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    listener = module._listen(Settings(host="::1", port=0))
    with listener:
        assert listener.family is socket.AF_INET6
        assert listener.get_inheritable()


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="not of this system")
def test_the_system_takes_little_for_a_caller_who_does_not_read() -> None:
    listener = module._listen(Settings(port=0))
    with listener, socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        caller.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)
            taken = 0
            with contextlib.suppress(BlockingIOError):
                while True:
                    taken += accepted.send(bytes(65_536))

    # Without it the system took 2.5 MB.
    assert taken < 1_000_000


def test_a_host_that_is_not_ours_is_refused_in_one_line() -> None:
    with pytest.raises(click.ClickException, match=r"cannot listen on 192\.0\.2\.1:0"):
        module._listen(Settings(host="192.0.2.1", port=0))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_alone_or_together(monkeypatch: pytest.MonkeyPatch, workers: str) -> None:
    called: list[str] = []

    def note(way: str) -> object:
        def serving(_: Settings, listener: socket.socket, started: Callable[[], object]) -> None:
            called.append(way)
            started()
            listener.close()

        return serving

    monkeypatch.setattr(module, "_serve_alone", note("1"))
    monkeypatch.setattr(module, "_serve_together", note("2"))
    shown = CliRunner().invoke(
        serve, ["--upstream", "https://a.example", "--port", "0", "--workers", workers]
    )

    assert shown.exit_code == 0, shown.output
    assert called == [workers]
    assert "-> https://a.example" in shown.output


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "--upstream"),
        (["--upstream", "https://a.example", "--client-keys", "k"], "--upstream-api-key"),
        (["--upstream", "https://a.example", "--policy", "none"], "none"),
        (["--upstream", "https://a.example", "--model", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_used_ends_with_2(given: list[str], words: str) -> None:
    shown = CliRunner().invoke(serve, given)

    assert shown.exit_code == 2
    assert words in shown.output.splitlines()[-1]


def test_what_is_loaded_is_never_looked_through_for_garbage_again() -> None:
    before = gc.get_threshold()
    try:
        module.settle_memory()

        assert gc.get_freeze_count() > 1_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("upstream", "listens", "itself"),
    [
        ("http://127.0.0.1:8080/v1", ("127.0.0.1", 8080), True),
        ("http://localhost:8080/v1", ("127.0.0.1", 8080), True),
        ("http://127.0.0.1:8080", ("0.0.0.0", 8080), True),  # noqa: S104 - compared, not bound
        ("http://[::1]:8080", ("::", 8080, 0, 0), True),
        ("http://10.0.0.5:8080", ("10.0.0.5", 8080), True),
        ("http://127.0.0.1", ("127.0.0.1", 80), True),
        ("http://127.0.0.1:8081/v1", ("127.0.0.1", 8080), False),
        ("http://10.0.0.6:8080", ("10.0.0.5", 8080), False),
        ("http://10.0.0.5:8080", ("127.0.0.1", 8080), False),
        ("http://127.0.0.2:8080", ("127.0.0.1", 8080), False),
        ("http://model:8080", ("0.0.0.0", 8080), False),  # noqa: S104 - as above
    ],
)
def test_an_upstream_that_is_this_listener_is_known(
    upstream: str, listens: tuple[str, int], *, itself: bool
) -> None:
    assert module.is_own_address(upstream, listens[0], listens[1]) is itself


def test_a_proxy_of_itself_does_not_start() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = CliRunner().invoke(
        serve, ["--port", str(port), "--upstream", f"http://127.0.0.1:{port}/v1"]
    )

    assert result.exit_code == 2
    assert "Error: --upstream: is the address this proxy listens on" in result.stderr


def test_what_is_seldom_meant_is_told_before_the_banner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text(
        "name: own\ninput:\n  - moderation_llm_v2: {}\noutput: []\n"
        "passthrough:\n  - {path: /metrics, methods: [GET]}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("GUARDPROXY_POLCY", "strict")
    monkeypatch.setattr(module, "_serve_alone", lambda _, listener, __: listener.close())
    given = ["--port", "0", "--policy", str(policy), "--upstream", "http://x.example/v1/messages"]
    result = CliRunner().invoke(serve, given)

    assert result.exit_code == 0
    assert [line.rpartition(": ")[2] for line in result.stderr.splitlines()] == [
        "is not read; did you mean GUARDPROXY_POLICY?",
        "ends like a route; give the base URL, e.g. https://api.openai.com/v1",
        "/metrics is guardproxy's own",
    ]
