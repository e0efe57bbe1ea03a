"""An ASGI app on a loopback port, in this process, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import click
import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"
_GRACE_SECONDS = 2


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers: Ctrl-C ends whoever owns the servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
            self.listening.set()
        except SystemExit:
            message = "a server of the demo did not start; the log above says why"
            raise click.ClickException(message) from None


@asynccontextmanager
async def serving(app: ASGIApp, port: int = 0, *, lifespan: bool = False) -> AsyncIterator[str]:
    """Serves `app`; yields its base URL, with `/v1`.

    Args:
        app: what is served.
        port: 0 picks a free one.
        lifespan: the app wants to be told of start and end, and may refuse to start.

    Raises:
        ClickException: nobody can listen there, or the app does not start.
    """
    listener = _listen(port)
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="on" if lifespan else "off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
    with listener:
        try:
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(server.serve([listener]))
                try:
                    await server.listening.wait()
                    yield f"http://{HOST}:{listener.getsockname()[1]}/v1"
                finally:
                    server.should_exit = True
                    await running
        except BaseExceptionGroup as group:
            # The group is a matter of how we wait; callers care for the one thing that happened.
            raise group.exceptions[0] from None


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {HOST}:{port}: {error.strerror}; give another --port"
        ) from error
