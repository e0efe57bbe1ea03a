from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.decide import decide, decide_without_scores, resolve
from guardproxy.policy.explain import Decision, Row, explain, explain_media, number
from guardproxy.policy.scope import MediaSplit
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES

DEFAULTS = dict.fromkeys(V2_CATEGORIES, 0.87)
SCORES = dict.fromkeys(V2_CATEGORIES, 0.1) | {"pii": 0.91}


def rows(config: dict[str, object], *, fails: bool = False) -> dict[str, Row]:
    guardrails = resolve([GuardrailConfig.model_validate(config)], DEFAULTS)
    results = (
        decide_without_scores(guardrails, "deadline")
        if fails
        else decide(guardrails, [("messages[0].content", SCORES)])
    )
    return {row.category: row for row in explain("input", guardrails, results)}


def test_a_violation_says_score_threshold_action_and_place() -> None:
    assert rows({"moderation_llm_v2": {"action": "block"}})["pii"] == Row(
        entry="input[0].moderation_llm_v2",
        category="pii",
        score=0.91,
        threshold=0.87,
        decision=Decision.BLOCK,
        path="messages[0].content",
        why="0.91 > 0.87: violated, action block",
    )


@pytest.mark.parametrize(
    ("config", "decision", "why"),
    [
        ({}, Decision.REPORT, "0.91 > 0.87: violated, action none"),
        (
            {"custom_category_thresholds": {"pii": 0.95}},
            Decision.PASSES,
            "0.91 is not above 0.95",
        ),
        (
            {"custom_category_thresholds": {"pii": 1}},
            Decision.OFF,
            "0.91, threshold 1: switched off",
        ),
        (
            {"custom_category_thresholds": {"law": 0.5}, "ignore_other_categories": True},
            Decision.OFF,
            "not evaluated: ignore_other_categories is true",
        ),
    ],
)
def test_what_does_not_block_says_why_not(
    config: dict[str, object], decision: Decision, why: str
) -> None:
    row = rows({"moderation_llm_v2": config})["pii"]

    assert (row.decision, row.why) == (decision, why)


def test_what_is_not_evaluated_is_told_from_what_is_switched_off() -> None:
    thresholds = {"law": 0.5, "health": 1}
    shown = rows(
        {
            "moderation_llm_v2": {
                "custom_category_thresholds": thresholds,
                "ignore_other_categories": True,
            }
        }
    )

    assert {name for name, row in shown.items() if not row.unevaluated} == set(thresholds)


def test_every_category_of_the_version_has_a_row() -> None:
    assert tuple(rows({"moderation_llm_v2": {}})) == V2_CATEGORIES
    assert tuple(rows({"moderation_llm_v1": {}})) == V1_CATEGORIES


def test_a_failure_is_one_row_for_the_entry() -> None:
    closed = rows({"block_on_error": True, "moderation_llm_v2": {}}, fails=True)
    opened = rows({"moderation_llm_v2": {"action": "block"}}, fails=True)

    assert [(row.decision, row.why) for row in (*closed.values(), *opened.values())] == [
        (Decision.BLOCK, "not judged (deadline), and block_on_error is true"),
        (Decision.FAILED, "not judged (deadline), and block_on_error is false"),
    ]


def test_entries_that_needed_no_score_show_none() -> None:
    config = {"ignore_other_categories": True, "custom_category_thresholds": {"pii": 1}}
    guardrails = resolve([GuardrailConfig.model_validate({"moderation_llm_v2": config})], {})

    pii = explain("input", guardrails, ())[V2_CATEGORIES.index("pii")]

    assert (pii.score, pii.threshold, pii.why) == (None, 1, "threshold 1: switched off")


def test_entries_are_numbered_as_they_stand() -> None:
    both = GuardrailConfig.model_validate({"moderation_llm_v1": {}, "moderation_llm_v2": {}})
    guardrails = resolve([both, both], DEFAULTS)

    entries = {row.entry for row in explain("guardrails", guardrails, decide(guardrails, []))}

    assert entries == {
        f"guardrails[{i}].moderation_llm_v{version}" for i in (0, 1) for version in (1, 2)
    }


def test_media_say_what_the_policy_says() -> None:
    image, audio, file = (
        MediaPart(Role.USER, kind, f"messages[0].content[{i}]", 1)
        for i, kind in enumerate((MediaKind.IMAGE, MediaKind.AUDIO, MediaKind.FILE))
    )

    shown = explain_media(MediaSplit(blocked=(audio,), flagged=(image,), allowed=(file,)))

    assert [(row.entry, row.decision, row.path) for row in shown] == [
        ("unscannable.audio", Decision.BLOCK, "messages[0].content[1]"),
        ("unscannable.image", Decision.REPORT, "messages[0].content[0]"),
        ("unscannable.file", Decision.PASSES, "messages[0].content[2]"),
    ]
    assert shown[0].why == "cannot be read; the policy says block"


@given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_are_short_and_never_another_number(one: float, other: float) -> None:
    assert float(number(one)) == one
    assert (float(number(one)) > float(number(other))) == (one > other)
