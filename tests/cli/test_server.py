"""How the server is set up; that it serves, reloads and ends is tested as a process."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import pickle
import signal

import pytest

from guardproxy.cli import server as module
from guardproxy.cli.server import expect_signals, server_config, settle_memory
from guardproxy.proxy.connection import BoundedProtocol
from guardproxy.settings import Settings


def test_the_server_has_one_parser_and_no_voice_of_its_own() -> None:
    settings = Settings(header_bytes=2_000, target_bytes=1_000, shutdown_timeout=0.5)
    config = server_config("guardproxy.cli.workers:worker", settings, factory=True)

    assert config.http is BoundedProtocol
    assert config.bounds.unread_bytes == 2_000 + 1_000 + 1_024
    assert (config.ws, config.lifespan) == ("none", "on")
    assert not any((config.server_header, config.access_log, config.proxy_headers))
    assert config.timeout_graceful_shutdown == 1
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_the_configuration_reaches_another_process() -> None:
    config = server_config("guardproxy.cli.workers:worker", Settings(workers=3), factory=True)

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
    monkeypatch.setattr(module, "expect_signals", lambda: done.append("signals"))
    server_config("guardproxy.cli.workers:worker", Settings())

    assert done == (["installed", "to be ended", "signals"] if in_worker else [])


def test_a_signal_at_start_up_ends_with_0_and_a_reload_is_not_fatal() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    try:
        expect_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        for ending in (signal.SIGTERM, signal.SIGINT):
            with pytest.raises(SystemExit, match=r"^0$"):
                os.kill(os.getpid(), ending)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_what_is_loaded_is_never_looked_through_for_garbage_again() -> None:
    before = gc.get_threshold()
    try:
        settle_memory()

        assert gc.get_freeze_count() > 1_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
