"""What a caller's connection may cost, in bytes and in time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SLOWEST_BYTES: Final = 1_024
"""A second, on the average, from when on a body comes too slowly. The slowest lines are faster."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a connection may cost. Durations are seconds, sizes are bytes.

    Args:
        unread_bytes: that may come without completing a head, a piece of a body or its end.
        idle_seconds: of silence within a body, between requests, or of a caller who does not read.
        body_seconds: within which a body must be whole.
        grace_seconds: for a body, beside the time that what has come of it earns: `SLOWEST_BYTES`
            a second on the average.
        head_seconds: from the connection, or a request's first byte, to the end of its head: nginx
            has 60, slow-header attacks live from that, and a head is one packet or two.
    """

    unread_bytes: int
    idle_seconds: float
    body_seconds: float
    head_seconds: float = 10.0
    grace_seconds: float = 10.0

    def body_due(self, begun: float, last: float, received: int) -> float:
        """When more of a body, begun at one moment and last continued at another, must come."""
        earned = self.grace_seconds + received / SLOWEST_BYTES
        return min(begun + self.body_seconds, begun + earned, last + self.idle_seconds)
