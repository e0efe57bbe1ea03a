"""The documented shapes, byte for byte: `tests/wire/guardrails/` is what goes on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.decide import decide, decide_without_scores, resolve
from guardproxy.policy.guardrail_body import (
    block_summary,
    blocked_body,
    body_of,
    failed_body,
    passed_list,
    shown_score,
)
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import CategoryDecision, GuardrailResult, Verdict

GOLDEN = Path(__file__).parent.parent / "wire" / "guardrails"

DEFAULTS = dict.fromkeys(V2_CATEGORIES, 0.5)
HARMLESS = dict.fromkeys(V2_CATEGORIES, 0.0125)
JAILBREAK = HARMLESS | {"jailbreaking": 0.98765432, "criminal": 0.6}
WHERE = "messages[0].content"

V1 = GuardrailConfig.model_validate({"moderation_llm_v1": {"action": "block"}})
V2 = GuardrailConfig.model_validate({"moderation_llm_v2": {"action": "block"}})
CLOSED_V1 = GuardrailConfig.model_validate({"block_on_error": True, "moderation_llm_v1": {}})
CLOSED_V2 = GuardrailConfig.model_validate({"block_on_error": True, "moderation_llm_v2": {}})
BOTH = GuardrailConfig.model_validate({"moderation_llm_v1": {}, "moderation_llm_v2": {}})
PII_ONLY = GuardrailConfig.model_validate(
    {
        "moderation_llm_v2": {
            "action": "block",
            "ignore_other_categories": True,
            "custom_category_thresholds": {"pii": 0.3},
        }
    }
)
AUDIO = MediaPart(Role.USER, MediaKind.AUDIO, "messages[1].content[0].input_audio", 12)


def judged(scores: dict[str, float], *configs: GuardrailConfig) -> tuple[GuardrailResult, ...]:
    return decide(resolve(configs, DEFAULTS), [(WHERE, scores)])


def failed(reason: str, *configs: GuardrailConfig) -> tuple[GuardrailResult, ...]:
    return decide_without_scores(resolve(configs, DEFAULTS), reason)


BODIES: dict[str, Callable[[], bytes]] = {
    "blocked_v1": lambda: body_of(Verdict(results=judged(JAILBREAK, V1))),
    "blocked_v2": lambda: body_of(Verdict(results=judged(JAILBREAK, V2))),
    "blocked_two_of_a_name": lambda: body_of(
        Verdict(results=judged(JAILBREAK, PII_ONLY), inline=judged(JAILBREAK, V2))
    ),
    "blocked_unscannable": lambda: body_of(
        Verdict(results=judged(HARMLESS, PII_ONLY), blocked_media=(AUDIO,))
    ),
    "blocked_beside_a_failure": lambda: body_of(
        Verdict(results=judged(JAILBREAK, V2), inline=failed("overload", CLOSED_V2))
    ),
    "failed_v1": lambda: body_of(Verdict(results=failed("error", CLOSED_V1))),
    "failed_v2": lambda: body_of(Verdict(results=failed("error", CLOSED_V2))),
    "failed_two_of_a_name": lambda: body_of(
        Verdict(results=failed("deadline", CLOSED_V2), inline=failed("deadline", V2, CLOSED_V2))
    ),
    "passed_v1": lambda: passed_list(Verdict(inline=judged(HARMLESS, V1))),
    "passed_v2": lambda: passed_list(Verdict(inline=judged(HARMLESS, V2))),
    "passed_two_of_a_name": lambda: passed_list(
        Verdict(results=judged(HARMLESS, V2), inline=judged(HARMLESS, PII_ONLY, BOTH))
    ),
    "passed_by_failure": lambda: passed_list(Verdict(inline=failed("missing", V2))),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_its_golden_file_byte_for_byte(name: str) -> None:
    assert BODIES[name]() == (GOLDEN / f"{name}.json").read_bytes()


def test_every_golden_file_has_a_body() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(BODIES)


def test_a_block_names_what_weighed_most_and_where() -> None:
    results = decide(
        resolve([V2], DEFAULTS),
        [("messages[0].content", HARMLESS | {"law": 0.7}), ("tools[0]", HARMLESS | {"pii": 0.9})],
    )

    error = json.loads(blocked_body(Verdict(results=results)))["error"]

    assert (error["code"], error["param"]) == ("pii", "tools[0]")


def test_a_violation_that_only_monitors_is_not_given_as_the_reason() -> None:
    monitor = GuardrailConfig.model_validate({"moderation_llm_v2": {}})
    strict_on_law = GuardrailConfig.model_validate(
        {
            "moderation_llm_v2": {
                "action": "block",
                "ignore_other_categories": True,
                "custom_category_thresholds": {"law": 0.1},
            }
        }
    )
    results = judged(JAILBREAK | {"law": 0.2}, monitor, strict_on_law)

    body = json.loads(blocked_body(Verdict(results=results)))

    assert body["error"]["code"] == "law"
    shown = body["guardrails"]["results"]
    # The plain name is the one that blocked, whatever the order of entries.
    assert list(shown) == ["moderation_llm_v2", "moderation_llm_v2#2"]
    assert list(shown["moderation_llm_v2"]["decisions"]) == ["law"]
    assert (shown["moderation_llm_v2#2"]["violated"], shown["moderation_llm_v2#2"]["action"]) == (
        True,
        "none",
    )


def test_a_failure_in_a_stream_has_the_shape_of_a_block_and_says_so() -> None:
    verdict = Verdict(results=failed("deadline", CLOSED_V2))

    assert block_summary(verdict) == {
        "results": {
            "moderation_llm_v2": {
                "model_name": "mistral-moderation-2603",
                "decisions": {},
                "violated": False,
                "action": "block",
                "error": {"message": "Moderation API request timed out."},
            }
        }
    }
    error = json.loads(blocked_body(verdict))["error"]
    assert (error["code"], error["param"]) == ("guardrail_failed", None)


def test_an_unknown_reason_is_told_as_the_documented_one() -> None:
    body = json.loads(failed_body(Verdict(results=failed("burnt", CLOSED_V2))))

    assert body["guardrails"][0]["moderation_llm_v2"]["error"] == {
        "message": "Moderation API request failed."
    }


def test_thousands_of_unread_parts_make_a_short_body() -> None:
    media = tuple(replace(AUDIO, path=f"messages[{i}].content[0]") for i in range(4096))

    body = blocked_body(Verdict(blocked_media=media))

    assert len(body) < 2000


def test_no_inline_entries_make_an_empty_list() -> None:
    assert passed_list(Verdict(results=judged(HARMLESS, V2))) == b"[]"


def test_a_path_with_a_lone_surrogate_can_be_sent() -> None:
    (result,) = decide(resolve([V2], DEFAULTS), [("x.\ud800", JAILBREAK)])

    assert json.loads(blocked_body(Verdict(results=(result,))))["error"]["param"] == "x.\ud800"


@pytest.mark.parametrize(
    ("score", "threshold", "shown"),
    [
        (0.123456, 0.5, 0.1235),
        (0.50001, 0.5, 0.50001),
        (0.49999999, 0.5, 0.5),
        (0.70496, 0.70495, 0.705),
        (0.70504, 0.705, 0.70504),
        (0.12346, 0.12347, 0.12346),
        (0.5000000000000001, 0.5, 0.5000000000000001),
        (5e-324, 0.0, 5e-324),
    ],
)
def test_a_score_is_rounded_only_as_far_as_it_stays_on_its_side(
    score: float, threshold: float, shown: float
) -> None:
    assert shown_score(CategoryDecision(threshold, score)) == shown


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_score_shown_never_contradicts_violated(score: float, threshold: float) -> None:
    decision = CategoryDecision(threshold, score)

    shown = shown_score(decision)

    assert (shown > threshold) == decision.violated
    assert abs(shown - score) <= 0.5e-4 + 1e-12
