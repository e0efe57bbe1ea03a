from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardproxy.policy.config import (
    GuardrailConfig,
    InlineHandling,
    Limits,
    ModerationV1Config,
    ModerationV2Config,
    PolicyConfig,
    Unscannable,
)
from guardproxy.verdict import Action, StreamMode

MINIMAL = {"name": "x", "input": [{"moderation_llm_v2": {}}], "output": []}


def test_an_entry_has_mistrals_defaults() -> None:
    entry = GuardrailConfig.model_validate({"moderation_llm_v1": {}, "moderation_llm_v2": {}})

    assert not entry.block_on_error
    for version, model in (
        (entry.moderation_llm_v1, "mistral-moderation-2411"),
        (entry.moderation_llm_v2, "mistral-moderation-2603"),
    ):
        assert version is not None
        assert version.model_name == model
        assert version.action is Action.NONE
        assert not version.ignore_other_categories
        assert version.custom_category_thresholds is None


def test_a_policy_holds_streams_adds_inline_entries_and_blocks_what_it_cannot_read() -> None:
    policy = PolicyConfig.model_validate(MINIMAL)

    assert policy.streaming.mode is StreamMode.HOLD
    assert policy.inline is InlineHandling.ADD
    assert (policy.unscannable.audio, policy.unscannable.file) == (Unscannable.BLOCK,) * 2
    assert policy.unscannable.image is Unscannable.FLAG
    assert (policy.exempt_roles, policy.passthrough) == ([], [])


def test_limits_have_safe_defaults() -> None:
    assert Limits().model_dump() == {
        "body_bytes": 4 * 2**20,
        "answer_bytes": 8 * 2**20,
        "json_depth": 64,
        "json_members": 20_000,
        "messages": 2_048,
        "parts": 4_096,
        "choices": 16,
        "tools": 128,
        "event_bytes": 2**20,
        "hold_bytes": 64 * 2**10,
    }


@pytest.mark.parametrize("model", [ModerationV1Config, ModerationV2Config])
@pytest.mark.parametrize("thresholds", [None, {}, {"pii": None}])
def test_an_entry_that_evaluates_nothing_is_refused(
    model: type[ModerationV1Config | ModerationV2Config], thresholds: object
) -> None:
    with pytest.raises(ValidationError, match="evaluates no category"):
        model.model_validate(
            {"ignore_other_categories": True, "custom_category_thresholds": thresholds}
        )


@pytest.mark.parametrize(
    ("model", "category", "says"),
    [
        (ModerationV1Config, "dangerous", "v1 has dangerous_and_criminal_content"),
        (ModerationV1Config, "jailbreaking", "is not a category"),
        (ModerationV2Config, "dangerous_and_criminal_content", "v2 has dangerous and criminal"),
        (ModerationV2Config, "self-harm", "is not a category"),
    ],
)
def test_a_category_of_the_other_version_is_told_from_an_unknown_one(
    model: type[ModerationV1Config | ModerationV2Config], category: str, says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        model.model_validate({"custom_category_thresholds": {category: 0.5}})


def test_a_policy_that_guards_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="guards nothing"):
        PolicyConfig.model_validate(MINIMAL | {"input": []})


@pytest.mark.parametrize("role", ["user", "assistant", "tool", "function", "unknown"])
def test_only_the_operators_own_roles_can_be_exempt(role: str) -> None:
    with pytest.raises(ValidationError, match="is not the operator's own text"):
        PolicyConfig.model_validate(MINIMAL | {"exempt_roles": [role]})


@pytest.mark.parametrize("path", ["relative", "/a b", "/a?b", "/a#b", "//\n"])
def test_a_passthrough_path_is_a_plain_path(path: str) -> None:
    with pytest.raises(ValidationError, match="should match pattern"):
        PolicyConfig.model_validate(MINIMAL | {"passthrough": [{"path": path, "methods": ["GET"]}]})


@pytest.mark.parametrize("path", ["/v1/{a", "/v1/a}", "/v1/{a{b}}", "/v1/../x", "/v1/.", "/.."])
def test_a_passthrough_path_that_no_request_can_have_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="segment"):
        PolicyConfig.model_validate(MINIMAL | {"passthrough": [{"path": path, "methods": ["GET"]}]})


@pytest.mark.parametrize(
    "path", ["/", "/v1/{a}", "/v1/{a}/b.c/...", "/v1/x/", "/{a-b_1}", "/v1/{a}.b"]
)
def test_a_passthrough_path_may_stand_for_segments(path: str) -> None:
    PolicyConfig.model_validate(MINIMAL | {"passthrough": [{"path": path, "methods": ["GET"]}]})
