"""How much a run measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = (1, 32, 200)
PATIENCE: Final = {200: 2}
"""Connections -> times as many seconds of load: a slow gateway answers the first of them late."""
WORDS: Final = 40
"""Of the prompt wherever its length is not what is measured. Each is one token."""
LENGTHS: Final = {10: 1, 150: 1, 1000: 1, 8000: 2}
"""Words of a prompt -> seconds of each round, more where few are answered in a second."""

STREAM_WORDS: Final = 100
QUICK_PAUSE_MS: Final = 5
"""Between the words of a stream that runs alone."""
QUICK_STREAMS: Final = 2
"""One after another, in each round."""
PACED_PAUSE_MS: Final = 20
"""Between the words of streams that run at once: 50 words a second."""
AT_ONCE: Final = 16
SHORT_WORDS: Final = 5
"""Of each of the many streams after which memory must be what it was."""
STEPS: Final = 4
"""Memory is read so often on the way."""

TURNS: Final = 20
CONVERSATIONS: Final = 5

WORKER_WORDS: Final = 150
WORKER_CONNECTIONS: Final = 8
"""Enough that nobody waits for work, few enough that nobody is refused."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long.

    Attributes:
        rounds: everything is measured so often, in turns; tables show medians.
        seconds: of load for each target at each number of connections, in each round.
        streams: after how many streams the memory is looked at.
        idle_seconds: how long servers are watched while nothing is asked.
        floor_seconds: of the model alone, in each round.
    """

    rounds: int
    seconds: int
    streams: int
    idle_seconds: float = 5.0
    floor_seconds: float = 4.0
