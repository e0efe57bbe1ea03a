"""`guardproxy serve`: what it is given is checked, then it listens and serves."""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit

import click
from uvicorn.config import STARTUP_FAILURE

from guardproxy.app import VERSION, Application, load_active, model_to_serve
from guardproxy.cli.banner import banner
from guardproxy.cli.doubts import route_as_base, unknown_variables, unused_routes
from guardproxy.cli.open_files import allow_open_files
from guardproxy.cli.options import settings_from, settings_options
from guardproxy.cli.server import Server, expect_signals, server_config, settle_memory
from guardproxy.cli.workers import Told, Workers, export, worker
from guardproxy.errors import ConfigurationError
from guardproxy.proxy.upstream import DEFAULT_PORTS
from guardproxy.settings import Settings
from guardproxy.telemetry.logs import installed
from guardproxy.telemetry.metrics import prepare_multiprocess

_UNSENT = 128 * 1024
"""Bytes of an answer that the system takes before it has sent them. By default it takes megabytes
for a caller who does not read: all of it is fetched, judged, and thrown away."""
_BACKLOG = 2048
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


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
        folder = model_to_serve(settings)
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
    if (parts.port or DEFAULT_PORTS[parts.scheme]) != port:
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


def _serve_alone(
    settings: Settings, listener: socket.socket, started: Callable[[], object]
) -> None:
    failures: list[str] = []
    app = Application(settings, ready=settle_memory, failed=failures.append)
    with installed(settings.log_level, settings.log_format):
        allow_open_files(settings.concurrent_requests)
        expect_signals()
        try:
            Server(server_config(app, settings), started).run([listener])
        except SystemExit as ended:
            if ended.code == STARTUP_FAILURE:
                raise _not_started(failures) from None
            raise


def _serve_together(
    settings: Settings, listener: socket.socket, started: Callable[[], object]
) -> None:
    told: Told = multiprocessing.get_context("spawn").SimpleQueue()
    with (
        tempfile.TemporaryDirectory(prefix="guardproxy-") as folder,
        installed(settings.log_level, settings.log_format),
    ):
        allow_open_files(settings.concurrent_requests)  # workers inherit it
        prepare_multiprocess(Path(folder))
        export(settings)
        workers = Workers(
            server_config(partial(worker, told), settings, factory=True), listener, told, started
        )
        workers.run()
        if workers.failed:
            raise _not_started(workers.failures)


def _not_started(failures: Sequence[str]) -> _Misconfigured:
    return _Misconfigured(failures[0] if failures else "it did not start; the log says why")
