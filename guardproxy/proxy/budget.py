"""How many bytes this process may hold at once, over all requests."""

from __future__ import annotations

from typing import Self

from guardproxy.errors import OverloadedError


class ByteBudget:
    """A counter with a bound. Not for threads: one event loop owns it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    def account(self) -> ByteAccount:
        """An account for one request; at the end of its block what it still holds is given back."""
        return ByteAccount(self)

    def change(self, difference: int) -> None:
        """Takes or gives back.

        Raises:
            OverloadedError: the process would hold more than it may; nothing was taken.
        """
        if difference > 0 and self.held + difference > self._limit:
            raise OverloadedError("too many bytes are held already")
        self.held += difference


class ByteAccount:
    """What one request holds, for the time of a block."""

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.set(0)

    def set(self, held: int) -> None:
        """Says how much is held now.

        Raises:
            OverloadedError: see `ByteBudget.change`.
        """
        self._budget.change(held - self._held)
        self._held = held

    def add(self, more: int) -> None:
        """Says that more is held than before."""
        self.set(self._held + more)
