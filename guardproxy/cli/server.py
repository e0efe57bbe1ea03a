"""How uvicorn serves the app of one process: its configuration, its start, its signals."""

from __future__ import annotations

import gc
import math
import multiprocessing
import signal
import socket
import sys
from collections.abc import Callable
from multiprocessing.util import Finalize
from typing import Any

import uvicorn

from guardproxy.proxy.bounds import Bounds
from guardproxy.proxy.connection import BoundedConfig, BoundedProtocol
from guardproxy.settings import Settings
from guardproxy.telemetry.logs import install

# Of a head, besides its target and its headers: the method, the version, white space.
_HEAD_REST = 1024
# uvicorn's 5 seconds are less than a busy machine takes to start a process with a model in it,
# which would then be ended and started again, for ever.
_WORKER_SECONDS = 60
_NEW_OBJECTS = 10_000
"""Made and kept since the last look for garbage. Looking at as many takes half a millisecond."""


class _Config(BoundedConfig):
    def configure_logging(self) -> None:
        """A new process calls this before everything else."""
        super().configure_logging()
        if multiprocessing.parent_process() is None:
            return
        settings = Settings()
        # A worker has no block around its life. This runs at its end, so that no line is lost.
        Finalize(None, install(settings.log_level, settings.log_format), exitpriority=0)
        expect_signals()


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


class Server(uvicorn.Server):
    """uvicorn's server, but it tells when it serves."""

    def __init__(self, config: BoundedConfig, started: Callable[[], object]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()


def expect_signals() -> None:
    """Until uvicorn listens, and after: a clean end is exit code 0, at start nothing is reloaded.

    uvicorn raises the signal that ended it again when it is done.
    """
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: None)


def settle_memory() -> None:
    """What is loaded stays for the life of the process: nobody need look whether it is garbage.

    A look at all of it, some 60,000 objects, would keep every request waiting for 20 ms and more;
    a look at each 700 new ones, as it is by default, is one for every request or two.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 20, 20)
