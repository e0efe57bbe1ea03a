"""Who may come in: how many requests are in progress at once, and whether their judge keeps up.

Whoever comes too much is told so at once, before a byte of his body is read. That costs little, so
that an overload takes next to nothing from those who are inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

    @contextmanager
    def of(self, receive: Receive) -> Iterator[Receive]:
        """`receive` for one request, which is in progress from its body's end to the block's end.

        A body that is still coming takes no place: callers who send slowly would take all of
        them. What it holds is bounded as bytes, and its time by the connection. Who never asks for
        a body, as our own small documents, is always served.

        Raises:
            OverloadedError: by the `receive` given, before it reads anything, or when the body is
                whole and the last place was taken meanwhile.
        """
        asked = inside = False

        async def receive_if_admitted() -> Message:
            nonlocal asked, inside
            if not asked:
                self._check()
                asked = True
            message = await receive()
            if not inside and message["type"] == "http.request" and not message.get("more_body"):
                self._check()
                inside = True
                self._change(1)
            return message

        try:
            yield receive_if_admitted
        finally:
            if inside:
                self._change(-1)

    def _check(self) -> None:
        if self.in_progress >= self._requests:
            raise OverloadedError("too many requests are in progress")
        if self._crowded():
            raise OverloadedError("judgements wait for too long")

    def _change(self, difference: int) -> None:
        self.in_progress += difference
        self._on_change(self.in_progress)
