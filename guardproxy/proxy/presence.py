"""Work that is worth doing only while the caller is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.types import Message

Receive = Callable[[], Awaitable[Message]]


class ClientGone(Exception):  # noqa: N818 - an event, not an error of anybody's
    """The caller has closed the connection or stopped reading."""


async def while_present(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` to its end, or cancels it as soon as the caller is gone.

    Raises:
        ClientGone: the caller left first.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_watch(receive))
            await work
            watch.cancel()
    except BaseExceptionGroup as group:
        # The group is a matter of how we wait; callers care for the one thing that happened.
        raise _first(group) from None


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
