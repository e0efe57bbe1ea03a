"""Who may come in: how many requests are in progress at once, and whether their judge keeps up.

Whoever comes too much is told so at once, before a byte of his body is read. That costs little, so
that an overload takes next to nothing from those who are inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from starlette.types import Message, Receive

from guardproxy.errors import OverloadedError


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

    def of(self, receive: Receive) -> Place:
        """One request's place; its block is the time of the request, see `Place`."""
        return Place(self, receive)

    def check(self) -> None:
        """Whether another may come in.

        Raises:
            OverloadedError: none may.
        """
        if self.in_progress >= self._requests:
            raise OverloadedError("too many requests are in progress")
        if self._crowded():
            raise OverloadedError("judgements wait for too long")

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
            self._admission.check()
            self._asked = True
        message = await self._receive()
        if not self._inside and message["type"] == "http.request" and not message.get("more_body"):
            self._admission.check()
            self._inside = True
            self._admission.change(1)
        return message
