from __future__ import annotations

import contextlib
import importlib.metadata
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistralai.client.models.guardrailconfig import GuardrailConfig as SdkGuardrail

from guardproxy.errors import RequestError
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.inline import MAX_ENTRIES, read_inline
from guardproxy.verdict import Action


def sent_by_mistralai(given: dict[str, Any]) -> object:
    """What the SDK puts on the wire for a user's entry."""
    return json.loads(SdkGuardrail.model_validate(given).model_dump_json(by_alias=True))


def refused(raw: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read_inline(raw)
    assert (caught.value.status, caught.value.code) == (422, "invalid_guardrails")
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("raw", [None, []])
def test_null_absent_and_empty_are_no_entries(raw: object) -> None:
    assert read_inline(raw) == ()


def test_an_entry_is_read_field_for_field() -> None:
    (entry,) = read_inline(
        [
            {
                "block_on_error": True,
                "moderation_llm_v2": {
                    "custom_category_thresholds": {"pii": 0, "law": 1, "health": None},
                    "ignore_other_categories": True,
                    "action": "block",
                },
            }
        ]
    )

    assert entry.block_on_error
    assert entry.moderation_llm_v2 is not None
    assert entry.moderation_llm_v2.action is Action.BLOCK
    assert entry.moderation_llm_v2.custom_category_thresholds == {
        "pii": 0,
        "law": 1,
        "health": None,
    }


def test_the_sdk_under_test_knows_guardrails() -> None:
    assert int(importlib.metadata.version("mistralai").split(".")[0]) >= 2


@pytest.mark.parametrize(
    "given",
    [
        {"moderation_llm_v2": {}},
        {"moderation_llm_v1": {}},
        {"block_on_error": True, "moderation_llm_v2": {"action": "block"}},
        {"moderation_llm_v1": {"action": "block"}, "moderation_llm_v2": {"action": "none"}},
        {"moderation_llm_v1": None, "moderation_llm_v2": {"model_name": "mistral-moderation-2603"}},
        {
            "moderation_llm_v2": {
                "custom_category_thresholds": {"pii": 0.3, "law": None, "health": 1},
                "ignore_other_categories": True,
                "action": "block",
            }
        },
        {"moderation_llm_v1": {"custom_category_thresholds": None}},
        {
            "moderation_llm_v1": {
                "custom_category_thresholds": {"dangerous_and_criminal_content": 0.2}
            }
        },
    ],
)
def test_what_the_mistral_sdk_sends_is_accepted(given: dict[str, Any]) -> None:
    (entry,) = read_inline([sent_by_mistralai(given)])

    assert entry == GuardrailConfig.model_validate(given)


@pytest.mark.parametrize(
    "given",
    [
        {"moderation_llm_v2": {"action": "flag"}},
        {"block_on_error": True, "moderation_llm_v3": {"action": "block"}},
    ],
)
def test_what_the_mistral_sdk_drops_is_told(given: dict[str, Any]) -> None:
    sent = sent_by_mistralai(given)

    assert refused([sent]).param == "guardrails[0]"


def test_thresholds_that_the_mistral_sdk_drops_are_told_if_nothing_is_left() -> None:
    given = {
        "moderation_llm_v2": {
            "custom_category_thresholds": {"pii": "high"},
            "ignore_other_categories": True,
            "action": "block",
        }
    }

    error = refused([sent_by_mistralai(given)])

    assert error.param == V2
    assert "evaluates no category" in error.message


V2 = "guardrails[0].moderation_llm_v2"


@pytest.mark.parametrize(
    ("raw", "param", "says"),
    [
        ({}, "guardrails", "must be a list"),
        ("block", "guardrails", "must be a list"),
        (False, "guardrails", "must be a list"),
        ([1], "guardrails[0]", "must be a mapping"),
        ([None], "guardrails[0]", "must be a mapping"),
        ([{}], "guardrails[0]", "has neither moderation_llm_v1 nor moderation_llm_v2"),
        ([{"block_on_error": False}], "guardrails[0]", "has neither"),
        ([{"moderation_llm_v2": None}], "guardrails[0]", "moderation_llm_v2 is empty"),
        ([{"moderation_llm_v2": {}}, {}], "guardrails[1]", "has neither"),
        ([{"moderation_llm_v2": []}], V2, "must be a mapping"),
        ([{"moderation_llm_v2": {}, "spam": 1}], "guardrails[0].spam", "unknown key"),
        ([{"moderation_llm_v2": {"block_on_error": True}}], f"{V2}.block_on_error", "unknown key"),
        ([{"moderation_llm_v2": {"action": "flag"}}], f"{V2}.action", "must be 'none' or 'block'"),
        ([{"moderation_llm_v2": {"action": None}}], f"{V2}.action", "must be 'none' or 'block'"),
        ([{"moderation_llm_v2": {"action": "BLOCK"}}], f"{V2}.action", "must be 'none'"),
        ([{"moderation_llm_v2": {"model_name": "a\nb"}}], f"{V2}.model_name", "must match pattern"),
        (
            [{"moderation_llm_v2": {"ignore_other_categories": "true"}}],
            f"{V2}.ignore_other_categories",
            "must be true or false",
        ),
        (
            [{"block_on_error": 1, "moderation_llm_v2": {}}],
            "guardrails[0].block_on_error",
            "must be true or false",
        ),
        (
            [{"moderation_llm_v1": {"custom_category_thresholds": {"dangerous": 0.5}}}],
            "guardrails[0].moderation_llm_v1.custom_category_thresholds.dangerous",
            "is a v2 category; v1 has dangerous_and_criminal_content",
        ),
        (
            [{"moderation_llm_v1": {"custom_category_thresholds": {"jailbreaking": 0.5}}}],
            "guardrails[0].moderation_llm_v1.custom_category_thresholds.jailbreaking",
            "is not a category",
        ),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(raw: object, param: str, says: str) -> None:
    error = refused(raw)

    assert error.param == param
    assert error.message.startswith(f"{param} ")
    assert says in error.message


@pytest.mark.parametrize("value", [True, "0.5", -0.1, 1.1, [], {}, float("nan"), 10**400])
def test_a_threshold_is_a_number_from_0_to_1_or_null(value: object) -> None:
    raw = [{"moderation_llm_v2": {"custom_category_thresholds": {"pii": value}}}]

    assert refused(raw).param == f"{V2}.custom_category_thresholds.pii"


def test_a_key_that_is_no_name_is_not_repeated() -> None:
    error = refused([{"moderation_llm_v2": {}, "my secret\n": 1}])

    assert error.param == "guardrails[0].?"
    assert "secret" not in error.message


def test_at_most_sixteen_entries() -> None:
    entry: dict[str, object] = {"moderation_llm_v2": {}}

    assert len(read_inline([entry] * MAX_ENTRIES)) == 16
    assert refused([entry] * 17).message == "guardrails has more than 16 entries"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["block_on_error", "moderation_llm_v1", "moderation_llm_v2", "action", "pii"]
            )
            | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(json_values)
def test_whatever_is_sent_only_our_own_error_is_raised(raw: object) -> None:
    with contextlib.suppress(RequestError):
        assert all(entry.moderation_llm_v1 or entry.moderation_llm_v2 for entry in read_inline(raw))
