from __future__ import annotations

import pytest

from guardproxy.errors import PolicyError
from guardproxy.policy.active import activate, blocks
from guardproxy.policy.load import load_policy_text
from guardproxy.policy.taxonomy import V2_CATEGORIES

DEFAULTS = dict.fromkeys(V2_CATEGORIES, 0.5)
LOADED = load_policy_text(
    "name: mine\n"
    "input:\n"
    "  - moderation_llm_v2: {action: block, custom_category_thresholds: {law: 1}}\n"
    "  - moderation_llm_v2: {custom_category_thresholds: {law: 0.2}}\n"
    "output:\n"
    "  - moderation_llm_v1: {action: block}\n",
    "mine.yaml",
)


def test_a_policy_in_force_is_named_by_its_bytes() -> None:
    policy = activate(LOADED, DEFAULTS)

    assert policy.label == f"mine@{LOADED.sha256[:12]}"
    assert (policy.source, policy.config) == ("mine.yaml", LOADED.config)


def test_its_entries_have_all_thresholds() -> None:
    policy = activate(LOADED, DEFAULTS)

    assert [guardrail.thresholds["law"] for guardrail in policy.input] == [1, 0.2]
    assert policy.output[0].thresholds["dangerous_and_criminal_content"] == 0.5


def test_v1_in_any_direction_counts_as_v1() -> None:
    policy = activate(LOADED, DEFAULTS)

    assert policy.uses_v1
    v2 = load_policy_text("name: x\ninput: [{moderation_llm_v2: {}}]\noutput: []\n", "x")
    assert not activate(v2, DEFAULTS).uses_v1


@pytest.mark.parametrize(
    ("first", "second", "blocks_on_error"),
    [("true", "false", True), ("false", "true", True), ("false", "false", False)],
)
def test_one_entry_is_enough_to_block_on_errors(
    first: str, second: str, *, blocks_on_error: bool
) -> None:
    text = (
        f"name: x\ninput: [{{block_on_error: {first}, moderation_llm_v2: {{}}}}]\n"
        f"output: [{{block_on_error: {second}, moderation_llm_v2: {{}}}}]\n"
    )

    assert activate(load_policy_text(text, "x"), DEFAULTS).blocks_on_error is blocks_on_error


def test_a_category_blocks_only_where_an_entry_that_blocks_has_it_on() -> None:
    guardrails = activate(LOADED, DEFAULTS).input

    assert blocks(guardrails, "pii")
    assert not blocks(guardrails, "law")
    assert not blocks((), "pii")


def test_a_classifier_without_a_default_is_refused_by_category() -> None:
    with pytest.raises(PolicyError, match="jailbreaking: the classifier has no default"):
        activate(LOADED, {name: 0.5 for name in V2_CATEGORIES if name != "jailbreaking"})


@pytest.mark.parametrize(
    ("streaming", "early"),
    [
        ("", 0.9),
        ("streaming: {partial_thresholds: {pii: 0.7}}\n", 0.7),
        ("streaming: {partial_thresholds: {pii: 0.3}}\n", 0.5),
        ("streaming: {partial_thresholds: {}}\n", 0.5),
        ("streaming: {mode: live}\n", 0.5),
        ("streaming: {mode: live, partial_thresholds: {pii: 0.7}}\n", 0.7),
    ],
)
def test_a_beginning_is_judged_by_the_judges_own_thresholds_where_a_policy_names_none(
    streaming: str, early: float
) -> None:
    text = f"name: x\ninput: []\noutput: [{{moderation_llm_v2: {{action: block}}}}]\n{streaming}"

    policy = activate(load_policy_text(text, "x"), DEFAULTS, {"pii": 0.9})

    assert policy.output[0].thresholds["pii"] == 0.5
    assert policy.early[0].thresholds["pii"] == early
    assert policy.early[0].thresholds["law"] == 0.5
