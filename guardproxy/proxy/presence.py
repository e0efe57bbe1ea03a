"""Work that is worth doing only while the caller is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from starlette.types import Message, Scope

Receive = Callable[[], Awaitable[Message]]

CALLER = "guardproxy.caller"
"""The extension of ASGI's scope under which a server puts a `Caller`."""


class ClientGone(Exception):  # noqa: N818 - an event, not an error of anybody's
    """The caller has closed the connection or stopped reading."""


class Caller(Protocol):
    """What our own server can say beyond ASGI, without a task that listens."""

    def watch(self, leave: Callable[[], None] | None) -> None:
        """Calls this once when the caller goes, at once if he is gone; None: nobody asks."""
        ...


def caller_of(scope: Scope) -> Caller | None:
    """The caller, if the server is ours."""
    caller: Caller | None = scope.get("extensions", {}).get(CALLER)
    return caller


async def while_present(scope: Scope, receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end, or cancels it as soon as the caller is gone.

    Raises:
        ClientGone: the caller left first.
    """
    caller = caller_of(scope)
    try:
        await (_listening(receive, work) if caller is None else _watched(caller, work))
    except BaseExceptionGroup as group:
        # The group is a matter of how we wait; callers care for the one thing that happened.
        error = _first(group)
        # Its frame holds it, and it the buffers of whoever failed: nobody would free them before
        # the next look for garbage.
        group.__traceback__ = None
    else:
        return
    try:
        raise error
    finally:
        del error


async def _watched(caller: Caller, work: Coroutine[Any, Any, None]) -> None:
    task, gone = asyncio.current_task(), False
    assert task is not None  # noqa: S101 - a coroutine runs in one

    def leave() -> None:
        nonlocal gone
        gone = True
        task.cancel()

    caller.watch(leave)
    try:
        await work
    except asyncio.CancelledError:
        if gone and task.cancelling() == 1:
            raise ClientGone from None
        raise
    finally:
        caller.watch(None)
        if gone:
            task.uncancel()


async def _listening(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(_watch(receive))
        await work
        watch.cancel()


async def _watch(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The most telling leaf: anything but the caller's leaving, which cancels the rest."""
    leaves = list(_leaves(group))
    return next((leaf for leaf in leaves if not isinstance(leaf, ClientGone)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
