"""How many judgements may be under way, and for how long.

A line that is longer than anybody in it may wait serves nobody: each is sent away just before his
turn. So it is kept shorter, and by time: what one text takes, a hundred others may take together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from guardproxy.errors import ClassifierDeadline, ClassifierOverloaded

_OF_NEW: Final = 0.25
"""Part of the time that waiting may take before new callers are one too many. The rest is for those
who are inside: each of their answers is judged as well, a stream's many times."""


class Gate:
    """Lets `places` judgements in at a time; each has `seconds` until it is sent away."""

    def __init__(self, *, places: int, seconds: float) -> None:
        self._places = places
        self._seconds = seconds
        self._taken = 0

    def is_crowded(self, expected_wait: float) -> bool:
        """Whether a caller who is not inside yet had better come again later."""
        return expected_wait > self._seconds * _OF_NEW or 2 * self._taken > self._places

    @asynccontextmanager
    async def judgement(self, expected_wait: float = 0.0) -> AsyncIterator[None]:
        """A place for the time of the block, which will wait for about `expected_wait` seconds.

        Raises:
            ClassifierOverloaded: all places are taken, or it would not get its turn in time; at
                once, nobody waits outside.
            ClassifierDeadline: the block took too long and was cancelled.
        """
        if self._taken >= self._places:
            raise ClassifierOverloaded(f"{self._places} judgements are under way already")
        if expected_wait >= self._seconds:
            raise ClassifierOverloaded(f"its turn would come after more than {self._seconds:g} s")
        self._taken += 1
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise ClassifierDeadline(f"no judgement within {self._seconds:g} s") from error
        finally:
            self._taken -= 1
