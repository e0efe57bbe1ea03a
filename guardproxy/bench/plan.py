"""How much a run measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = (1, 32, 200)
WORDS: Final = 40
"""Of the prompt wherever its length is not what is measured. Each is one token."""
LENGTHS: Final = {10: 1, 150: 1, 1000: 2, 8000: 4}
"""Words of a prompt -> seconds of a round, more where few are answered in a second."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long.

    Attributes:
        rounds: everything is measured so often, in turns; tables show medians.
        seconds: of load for each target at each number of connections, in each round.
        idle_seconds: how long servers are watched while nothing is asked.
    """

    rounds: int
    seconds: int
    idle_seconds: float = 5.0
