"""Why a verdict is what it is: a row for every category of every entry, evaluated or not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from guardproxy.policy.decide import Guardrail
from guardproxy.policy.guardrail_body import UNSCANNABLE, shown_score
from guardproxy.policy.scope import MediaSplit
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult

_SWITCHED_OFF = "threshold 1: switched off"


class Decision(StrEnum):
    """What one row contributes to the verdict."""

    BLOCK = "block"
    REPORT = "report"
    """Violated, or unread, but the policy lets it pass with a mark."""
    PASSES = "pass"
    OFF = "off"
    """Not evaluated, or with a threshold that nothing is above."""
    FAILED = "failed"
    """Not judged, and the policy lets it pass."""


@dataclass(frozen=True, slots=True)
class Row:
    """One category of one entry.

    `entry` is its place in the policy or the request (`input[0].moderation_llm_v2`). `score` and
    `threshold` are None where there is none; `path` says where the score stood.
    """

    entry: str
    category: str
    score: float | None
    threshold: float | None
    decision: Decision
    path: str
    why: str

    @property
    def unevaluated(self) -> bool:
        """The entry leaves its category out."""
        return self.decision is Decision.OFF and self.threshold is None


def explain(
    place: str, guardrails: Sequence[Guardrail], results: Sequence[GuardrailResult]
) -> tuple[Row, ...]:
    """Rows of all entries, in the schema's order of categories.

    Args:
        place: where the entries stand: `input`, `output` or `guardrails`.
        guardrails: what was asked.
        results: what each of them says, in the same order; empty if none of them needed a score.
    """
    said: Sequence[GuardrailResult | None] = results or [None] * len(guardrails)
    return tuple(
        row
        for guardrail, result in zip(guardrails, said, strict=True)
        for row in _rows(f"{place}[{guardrail.entry}].{guardrail.name}", guardrail, result)
    )


def explain_media(media: MediaSplit) -> tuple[Row, ...]:
    """A row for every medium that cannot be read."""
    groups = (
        (media.blocked, Decision.BLOCK, "block"),
        (media.flagged, Decision.REPORT, "flag"),
        (media.allowed, Decision.PASSES, "allow"),
    )
    return tuple(
        Row(
            entry=f"{UNSCANNABLE}.{medium.kind}",
            category=UNSCANNABLE,
            score=None,
            threshold=None,
            decision=decision,
            path=medium.path,
            why=f"cannot be read; the policy says {word}",
        )
        for parts, decision, word in groups
        for medium in parts
    )


def _rows(entry: str, guardrail: Guardrail, result: GuardrailResult | None) -> Iterator[Row]:
    if result is not None and result.error is not None:
        yield _failure(entry, result, result.error)
        return
    for category in V1_CATEGORIES if guardrail.version == 1 else V2_CATEGORIES:
        threshold = guardrail.thresholds.get(category)
        if threshold is None:
            why = "not evaluated: ignore_other_categories is true"
            yield Row(entry, category, None, None, Decision.OFF, "", why)
        elif result is None:
            yield Row(entry, category, None, threshold, Decision.OFF, "", _SWITCHED_OFF)
        else:
            yield _decided(entry, category, result.decisions[category], guardrail.action)


def _decided(entry: str, category: str, decision: CategoryDecision, action: Action) -> Row:
    score = shown_score(decision)
    if decision.violated:
        outcome = Decision.BLOCK if action is Action.BLOCK else Decision.REPORT
        why = f"{number(score)} > {number(decision.threshold)}: violated, action {action}"
    elif decision.threshold >= 1:
        outcome, why = Decision.OFF, f"{number(score)}, {_SWITCHED_OFF}"
    else:
        outcome = Decision.PASSES
        why = f"{number(score)} is not above {number(decision.threshold)}"
    return Row(entry, category, score, decision.threshold, outcome, decision.path, why)


def number(value: float) -> str:
    """As short as it can be without being another number."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _failure(entry: str, result: GuardrailResult, reason: str) -> Row:
    says = str(result.block_on_error).lower()
    return Row(
        entry=entry,
        category="",
        score=None,
        threshold=None,
        decision=Decision.BLOCK if result.blocked else Decision.FAILED,
        path="",
        why=f"not judged ({reason}), and block_on_error is {says}",
    )
