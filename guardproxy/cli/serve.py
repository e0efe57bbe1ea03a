"""`guardproxy serve`."""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from multiprocessing.queues import SimpleQueue
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import click
import uvicorn
from pydantic import SecretStr
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from guardproxy.app import VERSION, Application, load_active, verified_model
from guardproxy.cli.banner import banner
from guardproxy.cli.doubts import route_as_base, unknown_variables, unused_routes
from guardproxy.cli.open_files import allow_open_files
from guardproxy.cli.options import settings_from, settings_options
from guardproxy.errors import ConfigurationError
from guardproxy.proxy.connection import BoundedConfig, BoundedProtocol, Bounds
from guardproxy.settings import Settings
from guardproxy.telemetry.logs import install, installed
from guardproxy.telemetry.metrics import prepare_multiprocess

_UNSENT = 128 * 1024
"""Bytes of an answer that the system takes before it has sent them. By default it takes megabytes
for a caller who does not read: all of it is fetched, judged, and thrown away."""
_BACKLOG = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
# Of a head, besides its target and its headers: the method, the version, white space.
_HEAD_REST = 1024
# uvicorn's 5 seconds are less than a busy machine takes to start a process with a model in it,
# which would then be ended and started again, for ever.
_WORKER_SECONDS = 60
_FAILING_SECONDS = 2
_NEW_OBJECTS = 10_000
"""Made and kept since the last look for garbage. Looking at as many takes half a millisecond."""

_Told: TypeAlias = "SimpleQueue[str | None]"


class _Misconfigured(click.ClickException):
    """What the operator wrote cannot be used: one line, without the usage of the command."""

    exit_code = 2


@click.command()
@settings_options()
def serve(**options: str | bool | None) -> None:
    """Guard an LLM API: listen here, judge, pass on to the upstream.

    Every option is also an environment variable, named in its brackets. SIGHUP, or a change of
    its file, reloads the policy; a policy that cannot be used leaves the last good one in force.
    """
    settings = settings_from(options)
    if settings.upstream is None:
        raise click.UsageError(
            "no upstream: give --upstream, e.g. --upstream https://api.openai.com/v1"
        )
    if settings.client_keys is not None and settings.upstream_api_key is None:
        raise click.UsageError(
            "--client-keys needs --upstream-api-key: a caller's key is not the upstream's"
        )
    try:
        folder = verified_model(settings)
        policy = load_active(settings, folder.manifest.thresholds)
    except ConfigurationError as error:
        raise _Misconfigured(str(error)) from error
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    if is_own_address(settings.upstream, host, port):
        listener.close()
        raise _Misconfigured("--upstream: is the address this proxy listens on")
    for doubt in chain(
        unknown_variables(os.environ),
        route_as_base(settings.upstream),
        unused_routes(policy.config, policy.source),
    ):
        click.echo(f"Warning: {doubt}", err=True)
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    lines = banner(
        version=VERSION, address=address, settings=settings, policy=policy, folder=folder
    )
    serving = _serve_alone if settings.workers == 1 else _serve_together
    serving(settings, listener, lambda: click.echo(lines))


def is_own_address(upstream: str, host: str, port: int) -> bool:
    """Whether a URL leads to a listener, as far as its words say: no name is looked up."""
    parts = urlsplit(upstream)
    asked = parts.hostname
    if (parts.port or _DEFAULT_PORTS[parts.scheme]) != port:
        return False
    everywhere = host in _EVERY_ADDRESS
    return asked == host or (
        asked in _LOOPBACK and (everywhere or (asked == "localhost" and host in _LOOPBACK))
    )


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Connections inherit it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise click.ClickException(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; "
            "give another --host or --port"
        ) from error
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener


class _Config(BoundedConfig):
    def configure_logging(self) -> None:
        """A new process calls this before everything else."""
        super().configure_logging()
        if multiprocessing.parent_process() is None:
            return
        settings = Settings()
        # A worker has no block around its life. This runs at its end, so that no line is lost.
        Finalize(None, install(settings.log_level, settings.log_format), exitpriority=0)
        _expect_signals()


def server_config(
    app: Callable[..., Any] | str, settings: Settings, *, factory: bool = False
) -> BoundedConfig:
    """How uvicorn serves: one HTTP parser, no websockets, no log of its own."""
    config = _Config(
        app,
        factory=factory,
        workers=settings.workers,
        # The gate's checks complete this parser's; another would need its own.
        http=BoundedProtocol,
        timeout_worker_healthcheck=_WORKER_SECONDS,
        ws="none",
        lifespan="on",
        server_header=False,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=math.ceil(settings.shutdown_timeout),
    )
    config.bounds = Bounds(
        unread_bytes=settings.header_bytes + settings.target_bytes + _HEAD_REST,
        idle_seconds=settings.idle_timeout,
        body_seconds=settings.request_timeout,
    )
    return config


def _serve_alone(
    settings: Settings, listener: socket.socket, started: Callable[[], object]
) -> None:
    failures: list[str] = []
    app = Application(settings, ready=settle_memory, failed=failures.append)
    with installed(settings.log_level, settings.log_format):
        allow_open_files(settings.concurrent_requests)
        _expect_signals()
        try:
            _Server(server_config(app, settings), started).run([listener])
        except SystemExit as ended:
            if ended.code == STARTUP_FAILURE:
                raise _not_started(failures) from None
            raise


def _serve_together(
    settings: Settings, listener: socket.socket, started: Callable[[], object]
) -> None:
    told: _Told = multiprocessing.get_context("spawn").SimpleQueue()
    with (
        tempfile.TemporaryDirectory(prefix="guardproxy-") as folder,
        installed(settings.log_level, settings.log_format),
    ):
        allow_open_files(settings.concurrent_requests)  # workers inherit it
        prepare_multiprocess(Path(folder))
        _export(settings)
        workers = _Workers(
            server_config(partial(worker, told), settings, factory=True), listener, told, started
        )
        workers.run()
        if workers.failed:
            raise _not_started(workers.failures)


def _not_started(failures: Sequence[str]) -> _Misconfigured:
    return _Misconfigured(failures[0] if failures else "it did not start; the log says why")


def settle_memory() -> None:
    """What is loaded stays for the life of the process: nobody need look whether it is garbage.

    A look at all of it, some 60,000 objects, would keep every request waiting for 20 ms and more;
    a look at each 700 new ones, as it is by default, is one for every request or two.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def worker(told: _Told) -> Application:
    """The app of one of several processes; its settings come through the environment.

    Args:
        told: is given None when this process serves, or the reason why it never will.
    """

    def ready() -> None:
        settle_memory()
        told.put(None)

    return Application(Settings(), ready=ready, failed=told.put)


def _expect_signals() -> None:
    """Until uvicorn listens, and after: a clean end is exit code 0, at start nothing is reloaded.

    uvicorn raises the signal that ended it again when it is done.
    """
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: None)


class _Server(uvicorn.Server):
    """uvicorn's server, but it tells when it serves."""

    def __init__(self, config: BoundedConfig, started: Callable[[], object]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()


class _Workers(Multiprocess):
    """uvicorn's supervisor, but SIGHUP reloads the policy and restarts nobody.

    And a worker that ends while it is asked whether it lives is replaced at once: with the worker's
    end of the pipe open here, too, its answer would be waited for as long as a worker may take.

    Args:
        config: of every worker.
        listener: what they all listen on.
        told: what workers say of their start; see `worker`.
        started: called when the first of them serves.
    """

    def __init__(
        self,
        config: BoundedConfig,
        listener: socket.socket,
        told: _Told,
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


def _export(settings: Settings) -> None:
    """Puts the settings where a worker process finds them."""
    for name in Settings.model_fields:
        value = getattr(settings, name)
        if value is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            os.environ[f"GUARDPROXY_{name.upper()}"] = str(plain)
