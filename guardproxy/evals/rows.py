"""What a policy is measured on: a text, what somebody said about it, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from guardproxy.content import Role, TextPart
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Direction

BENIGN: Final = "benign"
"""1 where a source vouches for the whole text, 0 where any category is 1."""

DANGEROUS_OR_CRIMINAL: Final = "dangerous_or_criminal"
"""The union that v1 of the policy merges, for sources that judge only that."""

LABELS: Final = (*V2_CATEGORIES, DANGEROUS_OR_CRIMINAL, BENIGN)
"""Every key that `labels` may have."""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One row of data.

    `labels` holds only what the source judged: an absent category is unknown, not clean.
    `role` is `user`, `assistant` or `none` (a post, a sentence). `context` holds the turns before
    the text, oldest first. Rows of one source with the same `pair` are told apart by their context
    alone. `place` says file and line.
    """

    text: str
    labels: Mapping[str, bool]
    lang: str
    role: str
    source: str
    id: str
    place: str
    context: tuple[TextPart, ...] = ()
    pair: str | None = None

    @property
    def direction(self) -> Direction:
        """Which guardrails decide about it: those for answers if an assistant said it."""
        return Direction.OUTPUT if self.role == Role.ASSISTANT else Direction.INPUT
