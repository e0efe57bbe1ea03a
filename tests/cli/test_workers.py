"""What workers are given and told; that they serve and are replaced is tested as processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from guardproxy.app import Application
from guardproxy.cli.workers import Workers, export, worker
from guardproxy.settings import LogLevel, Settings


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
        export(given)
        exported = {k: v for k, v in os.environ.items() if k.startswith("GUARDPROXY_")}
    for name, value in exported.items():
        monkeypatch.setenv(name, value)

    assert Settings() == given
    assert isinstance(worker(multiprocessing.get_context("spawn").SimpleQueue()), Application)


def test_sighup_goes_to_every_worker_and_restarts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    supervisor = Workers.__new__(Workers)
    processes: Any = [SimpleNamespace(pid=pid) for pid in (11, None, 12)]
    supervisor.processes = processes
    supervisor.handle_hup()

    assert sent == [(11, signal.SIGHUP), (12, signal.SIGHUP)]
