"""Several processes that serve one listener: what each runs, and who watches over them."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from typing import TypeAlias

from pydantic import SecretStr
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from guardproxy.app import Application
from guardproxy.cli.server import settle_memory
from guardproxy.proxy.connection import BoundedConfig
from guardproxy.settings import Settings

_FAILING_SECONDS = 2

Told: TypeAlias = "SimpleQueue[str | None]"
"""What workers say of their start: None when one serves, or the reason why it never will."""


def worker(told: Told) -> Application:
    """The app of one of several processes; its settings come through the environment.

    Args:
        told: see `Told`.
    """

    def ready() -> None:
        settle_memory()
        told.put(None)

    return Application(Settings(), ready=ready, failed=told.put)


class Workers(Multiprocess):
    """uvicorn's supervisor, but SIGHUP reloads the policy and restarts nobody.

    And a worker that ends while it is asked whether it lives is replaced at once: with the worker's
    end of the pipe open here, too, its answer would be waited for as long as a worker may take.

    Args:
        config: of every worker.
        listener: what they all listen on.
        told: see `Told`.
        started: called when the first of them serves.
    """

    def __init__(
        self,
        config: BoundedConfig,
        listener: socket.socket,
        told: Told,
        started: Callable[[], object],
    ) -> None:
        super().__init__(config, [listener])
        self.failures: list[str] = []
        self._told = told
        self._started: Callable[[], object] | None = started

    @property
    def failed(self) -> bool:
        """Whether a worker could not start; then all are ended."""
        ends = (process.exitcode for process in self.processes)
        return bool(self.failures) or STARTUP_FAILURE in ends

    def run(self) -> None:
        try:
            super().run()
        except BaseException:
            self.terminate_all()
            self.join_all()
            raise

    def terminate_all(self) -> None:
        if self.failed:
            # They fail alike: one that is ended in the midst of it leaves a traceback in the log.
            for each in self.processes:
                each.process.join(_FAILING_SECONDS)
        super().terminate_all()

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            process.child_conn.close()
        super().keep_subprocess_alive()
        while not self._told.empty():
            self._hear(self._told.get())
        if self.failed:
            self.should_exit.set()

    def _hear(self, failure: str | None) -> None:
        if failure is not None:
            self.failures.append(failure)
        elif self._started is not None:
            started, self._started = self._started, None
            started()

    def handle_hup(self) -> None:
        for process in self.processes:
            if process.pid is not None:
                os.kill(process.pid, signal.SIGHUP)


def export(settings: Settings) -> None:
    """Puts the settings where a worker process finds them."""
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            os.environ[f"GUARDPROXY_{name.upper()}"] = str(plain)
