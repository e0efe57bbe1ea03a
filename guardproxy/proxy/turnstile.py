"""Whose turn it is to read on: many fast streams must not keep the event loop from all others.

Each turn of the loop runs what is ready then. Where hundreds of streams are ready in every turn, a
small request, which takes ten turns, waits for ten rounds of all of them: while 300 streams filled
the buffers of readers who did not read, everybody else waited until the last was full (2.4 s).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

BYTES_A_TURN: Final = 16_384
"""What streams read together in one turn of the loop: about 300 microseconds' worth."""


class Turnstile:
    """Lets readers through in the order they came, so much in each turn of the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._turning = False

    async def passage(self, size: int) -> None:
        """Waits until it is the turn of `size` bytes; who comes first in a turn need not wait.

        What is larger than a turn passes alone.
        """
        loop = asyncio.get_running_loop()
        if not self._turning:
            self._turning = True
            loop.call_soon(self._let_through, loop)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((turn, size))
        await turn

    def _let_through(self, loop: asyncio.AbstractEventLoop) -> None:
        room = BYTES_A_TURN
        while self._waiting and room > 0:
            turn, size = self._waiting.popleft()
            # Who has left meanwhile takes no room.
            if not turn.done():
                turn.set_result(None)
                room -= size
        self._turning = room < BYTES_A_TURN
        if self._turning:
            # After those who were let through: they are what the next turn is for.
            loop.call_soon(self._let_through, loop)
