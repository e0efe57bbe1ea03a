"""What the classifier tells whoever counts; telemetry fits by shape."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Plain calls, from the event loop's thread; they must return at once and not raise."""

    def ran(self, seconds: float, tokens: int) -> None:
        """A run of the model took so long, for so many tokens."""
        ...

    def queued(self, depth: int) -> None:
        """So many runs are waiting for a thread."""
        ...

    def cache(self, *, hit: bool) -> None:
        """A text's scores were asked for, and were remembered or not."""
        ...

    def abandoned(self, threads: int) -> None:
        """So many threads are busy with runs nobody waits for any more."""
        ...


class NoObserver:
    """Counts nothing."""

    def ran(self, seconds: float, tokens: int) -> None:
        """Does nothing."""

    def queued(self, depth: int) -> None:
        """Does nothing."""

    def cache(self, *, hit: bool) -> None:
        """Does nothing."""

    def abandoned(self, threads: int) -> None:
        """Does nothing."""
