"""A deadline that is moved for each request, and a timer that is not.

Setting and cancelling a timer of the event loop costs as much as parsing a head; moving a number
costs nothing. So the timer, when it is early, looks where the deadline stands now.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

_NEVER = math.inf


class Alarm:
    """Rings when its moment has come, unless it is moved or cleared before.

    Args:
        ring: called once for each time it was set.
    """

    __slots__ = ("_due", "_loop", "_ring", "_timer", "_timer_at")

    def __init__(self, ring: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ring = ring
        self._due = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER

    def set(self, due: float) -> None:
        """Moves it to a moment of the loop's time."""
        self._due = due
        if due < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = self._loop.call_at(due, self._look)

    def clear(self) -> None:
        self._due = _NEVER

    def close(self) -> None:
        """Clears it for good, and forgets whom it called: its owner, most of the time."""
        self._due, self._ring = _NEVER, _nobody
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, _NEVER

    def _look(self) -> None:
        self._timer, self._timer_at = None, _NEVER
        if self._loop.time() >= self._due:
            self._due = _NEVER
            self._ring()
        elif self._due != _NEVER:
            self.set(self._due)


def _nobody() -> None:
    """Is there any more."""
