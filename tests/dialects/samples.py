"""Verdicts for those who say them."""

from __future__ import annotations

from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict

VERDICT = Verdict(
    (
        GuardrailResult(
            "moderation_llm_v2",
            "mistral-moderation-2603",
            Action.BLOCK,
            {"dangerous": CategoryDecision(0.5, 0.9, "choices[0].content")},
        ),
    )
)
