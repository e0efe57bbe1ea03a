"""Who may come in: how many requests are in progress at once, and whether their judge keeps up.

Whoever comes too much is told so at once, before a byte of his body is read. That costs little, so
that an overload takes next to nothing from those who are inside. Thousands a second would take
something: callers who ask again at once then wait for their refusal, each a little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self

from starlette.types import Message, Receive

from guardproxy.errors import OverloadedError

REFUSALS_A_SECOND: Final = 500
"""Sent as they come; more wait their turn. One costs less than half a millisecond of CPU."""

LONGEST_HOLD: Final = 1.0
"""Seconds that a refusal waits at most: nobody is held until he gives up."""


class Turns:
    """When each refusal may leave: as many a second as given, none later than `longest`."""

    def __init__(
        self, a_second: float = REFUSALS_A_SECOND, *, longest: float = LONGEST_HOLD
    ) -> None:
        self._step = 1 / a_second
        self._longest = longest
        self._next = 0.0

    def take(self, now: float) -> float:
        """Seconds that one who comes now has to wait."""
        turn = max(now, min(self._next, now + self._longest))
        self._next = turn + self._step
        return turn - now


class Admission:
    """A counter with a bound. Not for threads: one event loop owns it.

    Args:
        requests: most requests in progress.
        crowded: whether more work would have to wait for too long where it is judged.
        on_change: told how many are in progress.
    """

    def __init__(
        self, requests: int, *, crowded: Callable[[], bool], on_change: Callable[[int], None]
    ) -> None:
        self._requests = requests
        self._crowded = crowded
        self._on_change = on_change
        self.in_progress = 0
        self._turns = Turns()

    def of(self, receive: Receive) -> Place:
        """One request's place; its block is the time of the request, see `Place`."""
        return Place(self, receive)

    async def check(self) -> None:
        """Whether another may come in; if not, again after the wait for a refusal's turn.

        Raises:
            OverloadedError: none may.
        """
        if self._refusal() is None:
            return
        if wait := self._turns.take(asyncio.get_running_loop().time()):
            await asyncio.sleep(wait)
        if (refusal := self._refusal()) is not None:
            raise refusal

    def _refusal(self) -> OverloadedError | None:
        if self.in_progress >= self._requests:
            return OverloadedError("too many requests are in progress")
        if self._crowded():
            return OverloadedError("judgements wait for too long")
        return None

    def change(self, difference: int) -> None:
        """So many more are in progress."""
        self.in_progress += difference
        self._on_change(self.in_progress)


class Place:
    """A request, which is in progress from its body's end to the end of the block.

    A body that is still coming takes no place: callers who send slowly would take all of them.
    What it holds is bounded as bytes, and its time by the connection. Who never asks for a body,
    as our own small documents, is always served.
    """

    __slots__ = ("_admission", "_asked", "_inside", "_receive")

    def __init__(self, admission: Admission, receive: Receive) -> None:
        self._admission = admission
        self._receive = receive
        self._asked = self._inside = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._inside:
            self._admission.change(-1)

    async def receive(self) -> Message:
        """ASGI's `receive`.

        Raises:
            OverloadedError: before anything is read, or when the body is whole and the last place
                was taken meanwhile.
        """
        if not self._asked:
            await self._admission.check()
            self._asked = True
        message = await self._receive()
        if not self._inside and message["type"] == "http.request" and not message.get("more_body"):
            await self._admission.check()
            self._inside = True
            self._admission.change(1)
        return message
