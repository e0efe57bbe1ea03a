"""Errors in Anthropic's shape."""

from __future__ import annotations

import json

import pytest

from guardproxy.dialects.anthropic_shape import error_body, refusal
from guardproxy.dialects.base import Fault
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.recorded import WIRE

BLOCKS = WIRE / "messages" / "blocks"
RESULT = GuardrailResult(
    "moderation_llm_v2",
    "mistral-moderation-2603",
    Action.BLOCK,
    {"dangerous": CategoryDecision(0.5, 0.9, "messages[0].content")},
)
FAILED = GuardrailResult("moderation_llm_v2", "m", Action.BLOCK, {}, True, "deadline")
VERDICT = Verdict((RESULT,))


def golden(name: str) -> bytes:
    return (BLOCKS / name).read_bytes()


def test_a_refusal_has_anthropics_shape() -> None:
    said = refusal(VERDICT)

    assert said.status == 400
    assert said.body + b"\n" == golden("refusal.json")


def test_a_failed_judgement_is_told_from_a_block() -> None:
    said = refusal(Verdict((FAILED,)))

    assert said.status == 400
    assert said.body + b"\n" == golden("failed.json")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "not_found_error"), (413, "request_too_large"),
     (422, "invalid_request_error"), (502, "api_error"), (503, "overloaded_error")],
)  # fmt: skip
def test_faults_have_anthropics_kinds(status: int, kind: str) -> None:
    body = json.loads(error_body(Fault(status, "no", "k", None, "c")))

    assert body == {
        "type": "error",
        "error": {"type": kind, "message": "no", "param": None, "code": "c"},
    }
