"""What a judgement says: scores, decisions, results, verdict. Values only, no rules of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from guardproxy.content import MediaPart

# Tuples, not dataclasses: a dozen of them come with every judgement, and take a quarter of the
# time to make.

Scores: TypeAlias = Mapping[str, float]
"""Category of our taxonomy -> calibrated probability, 0..1, of one text."""


class Action(StrEnum):
    """What a guardrail entry does when a category is violated (Mistral `action`)."""

    NONE = "none"
    BLOCK = "block"


class Direction(StrEnum):
    """Which way the judged text travels."""

    INPUT = "input"
    OUTPUT = "output"


class StreamMode(StrEnum):
    """When the text of a stream may leave."""

    HOLD = "hold"
    """After a verdict covers it."""
    BUFFER = "buffer"
    """After the whole answer is judged."""
    LIVE = "live"
    """At once; the stream is cut when something is found."""


class CategoryDecision(NamedTuple):
    """A category's highest score against its threshold; `path` says where that score stood."""

    threshold: float
    score: float
    path: str = ""

    @property
    def violated(self) -> bool:
        """Above, not at, the threshold (Mistral); so a threshold of 1 switches a category off."""
        return self.score > self.threshold


class GuardrailResult(NamedTuple):
    """What one guardrail entry says about a set of texts.

    `name` is the config name on the wire (`moderation_llm_v2`). `error` is the reason the entry
    could not be evaluated (`error`, `deadline`, `overload`, `missing`); it has no decisions then.
    `entry` is the place of its config in the list it came from: one config may hold two versions.
    """

    name: str
    model_name: str
    action: Action
    decisions: Mapping[str, CategoryDecision]
    block_on_error: bool = False
    error: str | None = None
    entry: int = 0

    @property
    def violated(self) -> bool:
        return bool(self.violated_categories)

    @property
    def violated_categories(self) -> tuple[str, ...]:
        """In the order of the decisions."""
        # As `CategoryDecision.violated`, without a call for each: this is asked all the time.
        return tuple(
            [category for category, (at, score, _) in self.decisions.items() if score > at]
        )

    @property
    def blocked(self) -> bool:
        if self.error is not None:
            return self.block_on_error
        return self.action is Action.BLOCK and self.violated

    @property
    def action_taken(self) -> Action:
        return Action.BLOCK if self.blocked else Action.NONE


class Verdict(NamedTuple):
    """What all guardrail entries say about a set of texts.

    `results` holds the operator's entries first, then the caller's `inline` ones.
    `blocked_media` and `flagged_media` could not be read; the policy says which is which.
    """

    results: tuple[GuardrailResult, ...] = ()
    inline: tuple[GuardrailResult, ...] = ()
    blocked_media: tuple[MediaPart, ...] = ()
    flagged_media: tuple[MediaPart, ...] = ()

    @property
    def all_results(self) -> tuple[GuardrailResult, ...]:
        return self.results + self.inline

    @property
    def clean(self) -> bool:
        """Nothing is found, nothing failed and nothing is unread: what nearly every verdict is."""
        return not (
            self.blocked_media
            or self.flagged_media
            or True in [each.error is not None or each.violated for each in self.all_results]
        )

    @property
    def blocked(self) -> bool:
        return bool(self.blocked_media) or True in [result.blocked for result in self.all_results]

    @property
    def violated(self) -> bool:
        return any(result.violated for result in self.all_results)

    @property
    def error(self) -> str | None:
        """Why something was not judged, if anything was not."""
        return next((r.error for r in self.all_results if r.error is not None), None)

    @property
    def blocked_by_error(self) -> bool:
        """Blocked, and only because something could not be judged."""
        return (
            not self.blocked_media
            and self.blocked
            and not any(result.blocked for result in self.all_results if result.error is None)
        )

    @property
    def violated_categories(self) -> tuple[str, ...]:
        """Violated categories, sorted, each once."""
        categories = {
            category for result in self.all_results for category in result.violated_categories
        }
        return tuple(sorted(categories))
