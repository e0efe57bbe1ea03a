"""How many judgements may be under way, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guardproxy.errors import ClassifierDeadline, ClassifierOverloaded


class Gate:
    """Lets `places` judgements in at a time; each has `seconds` until it is sent away."""

    def __init__(self, *, places: int, seconds: float) -> None:
        self._places = places
        self._seconds = seconds
        self._taken = 0

    @asynccontextmanager
    async def judgement(self) -> AsyncIterator[None]:
        """A place for the time of the block.

        Raises:
            ClassifierOverloaded: all places are taken; at once, nobody waits outside.
            ClassifierDeadline: the block took too long and was cancelled.
        """
        if self._taken >= self._places:
            raise ClassifierOverloaded(f"{self._places} judgements are under way already")
        self._taken += 1
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except TimeoutError as error:
            raise ClassifierDeadline(f"no judgement within {self._seconds:g} s") from error
        finally:
            self._taken -= 1
