"""What we say on the wire about a verdict, in the three shapes that Mistral documents. Pure.

    passed   a list beside the answer, parallel to the caller's own entries
    blocked  403, an object with `results`, keyed by config name
    failed   403, code 3201, a list with `error`

Source: api-contracts 1.7 to 1.9, Mistral "Safety and moderation". Additive is only what stands in
`error` of a blocked body (`type`, `param`, `code`, which OpenAI's clients show), and `error` or
`unscannable` in `results`, for which nothing is documented.

A second entry of one name gets `#2`. Entries that block come first, so that the plain name, which
is all that a client of the documented shape reads, says why.

Scores are rounded to 4 decimals, and to more where that would tell a score from its threshold
differently than `violated` does. Thresholds are shown as they were written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby

from guardproxy.policy.decide import unique_names
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict

BLOCKED_TYPE = "guardrail_blocked"
"""`error.type` of a blocked body. `error.code` says which category, `error.param` where."""

UNSCANNABLE = "unscannable"
"""Key in `results`, and `error.code`, for content that cannot be read and may not pass unread."""

FAILED = "guardrail_failed"
"""`error.code` where nothing was found, but something could not be judged."""

BLOCKED_MESSAGE = "Content blocked by guardrail"
UNJUDGED_MESSAGE = "Request blocked because its content could not be judged"
"""Where Mistral's own words for it, which name its option, have no place."""
_FAILED_MESSAGE = (
    "Request blocked due to error in guardrail evaluation and block_on_error is set to True."
)
_FAILURE_MESSAGES: Mapping[str, str] = {
    "error": "Moderation API request failed.",
    "deadline": "Moderation API request timed out.",
    "overload": "Moderation API is overloaded.",
    "missing": "Moderation API is not available.",
}
_SCORE_DECIMALS = 4
_LONGEST_FLOAT_DECIMALS = 17
# A request may hold thousands of parts; the first ones say enough.
_SHOWN_PATHS = 16


def body_of(verdict: Verdict) -> bytes:
    """The 403 body of a verdict that blocks: `failed_body` if only failure blocks it."""
    return failed_body(verdict) if verdict.blocked_by_error else blocked_body(verdict)


def blocked_body(verdict: Verdict) -> bytes:
    """`{"error": {message, status, type, param, code}, "guardrails": {"results": {...}}}`.

    `param` is the JSON path of what weighed most, `code` its category or `unscannable`.
    """
    param, code = reason(verdict)
    return _json(
        {
            "error": {
                "message": BLOCKED_MESSAGE,
                "status": 403,
                "type": BLOCKED_TYPE,
                "param": param or None,
                "code": code,
            },
            "guardrails": block_summary(verdict),
        }
    )


def block_summary(verdict: Verdict) -> dict[str, object]:
    """`{"results": {...}}`, to stand beside `finish_reason: content_filter` in a stream.

    The same for a block by failure, where `error` says so: a reader of streams sees one shape.
    """
    results = sorted(verdict.all_results, key=lambda result: not result.blocked)
    names = unique_names(results)
    shown = {name: _decided(result) for name, result in zip(names, results, strict=True)}
    if verdict.blocked_media:
        shown[UNSCANNABLE] = _unscannable(verdict)
    return {"results": shown}


def failed_body(verdict: Verdict) -> bytes:
    """The documented answer, code 3201, of `block_on_error`; lists the entries that failed."""
    return _json(
        {
            "object": "Error",
            "message": _FAILED_MESSAGE,
            "type": "invalid_request_error",
            "code": 3201,
            "guardrails": [
                {result.name: _reported(result)}
                for result in verdict.all_results
                if result.error is not None
            ],
        }
    )


def passed_list(verdict: Verdict) -> bytes:
    """`[{"moderation_llm_v2": {"action": "none", "categories": {...}}}]`, one per inline entry.

    `action` is the action taken. An entry that failed open shows `error` in place of `categories`.
    The operator's entries are not the caller's business and do not appear.
    """
    return _json(
        [
            {result.name: _reported(result) for result in results}
            for _, results in groupby(verdict.inline, key=lambda result: result.entry)
        ]
    )


def shown_score(decision: CategoryDecision) -> float:
    """The score, rounded as far as it stays on its side of the threshold."""
    for decimals in range(_SCORE_DECIMALS, _LONGEST_FLOAT_DECIMALS):
        rounded = round(decision.score, decimals)
        if (rounded > decision.threshold) == decision.violated:
            return rounded
    return decision.score


def reason(verdict: Verdict) -> tuple[str, str]:
    """Path and category of the violation furthest above its threshold, or of unread content."""
    violations = [
        (decision.score - decision.threshold, decision.path, category)
        for result in verdict.all_results
        if result.blocked
        for category, decision in result.decisions.items()
        if decision.violated
    ]
    if violations:
        _, path, category = max(violations, key=lambda violation: violation[0])
        return path, category
    if verdict.blocked_media:
        return verdict.blocked_media[0].path, UNSCANNABLE
    return "", FAILED


def _decided(result: GuardrailResult) -> dict[str, object]:
    shown: dict[str, object] = {
        "model_name": result.model_name,
        "decisions": {
            category: {
                "threshold": float(decision.threshold),
                "score": shown_score(decision),
                "violated": decision.violated,
            }
            for category, decision in result.decisions.items()
        },
        "violated": result.violated,
        "action": result.action_taken,
    }
    if result.error is not None:
        shown["error"] = _failure(result.error)
    return shown


def _unscannable(verdict: Verdict) -> dict[str, object]:
    return {
        "kinds": sorted({media.kind for media in verdict.blocked_media}),
        "paths": [media.path for media in verdict.blocked_media[:_SHOWN_PATHS]],
        "violated": True,
        "action": Action.BLOCK,
    }


def _reported(result: GuardrailResult) -> dict[str, object]:
    if result.error is not None:
        return {"action": result.action_taken, "error": _failure(result.error)}
    return {
        "action": result.action_taken,
        "categories": {
            category: {"score": shown_score(decision), "violated": decision.violated}
            for category, decision in result.decisions.items()
        },
    }


def _failure(reason: str) -> dict[str, object]:
    return {"message": _FAILURE_MESSAGES.get(reason, _FAILURE_MESSAGES["error"])}


def _json(body: object) -> bytes:
    # ASCII, because a path may hold a key of the caller's, and that a lone surrogate.
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
