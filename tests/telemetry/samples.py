"""Verdicts, judgements and exchanges to count and log."""

from __future__ import annotations

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.events import Exchange, Judgement, Outcome
from guardproxy.verdict import Action, CategoryDecision, Direction, GuardrailResult, Verdict

CANARY = "canary-7f3a my secret diary"
KEY = "sk-canary-0123456789"
IMAGE = MediaPart(Role.USER, MediaKind.IMAGE, "messages[0].content[1]", 40)


def result(
    *,
    action: Action = Action.BLOCK,
    error: str | None = None,
    block_on_error: bool = False,
    **scores: float,
) -> GuardrailResult:
    """A v2 entry with threshold 0.5; decisions stand where the text with the canary stood."""
    decisions = {c: CategoryDecision(0.5, score, "messages[0]") for c, score in scores.items()}
    return GuardrailResult(
        "moderation_llm_v2", "guardproxy-v0", action, decisions, block_on_error, error
    )


def judgement(
    *results: GuardrailResult, direction: Direction = Direction.INPUT, exempt: int = 0
) -> Judgement:
    return Judgement(direction, Verdict(results), 0.02, 1, 11, exempt)


def exchange(
    *,
    status: int = 200,
    outcome: Outcome = Outcome.PASSED,
    method: str = "POST",
    unjudged: str | None = None,
    unscanned_bytes: int = 0,
) -> Exchange:
    return Exchange(
        request_id="req-1",
        method=method,
        route="/v1/chat/completions",
        status=status,
        outcome=outcome,
        seconds=0.1234567,
        policy="default@1a2b",
        direction=Direction.INPUT,
        categories=("jailbreaking",),
        unjudged=unjudged,
        unscanned_bytes=unscanned_bytes,
    )
