"""Values of a request that must have a shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import Role
from guardproxy.dialects.chat_fields import REQUEST_REFUSED
from guardproxy.dialects.request_values import (
    check_case,
    choices_of,
    count_of,
    object_of,
    odd_biases,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

LIMITS = Limits(choices=4, parts=3, tools=2)


def refused(error: pytest.ExceptionInfo[RequestError]) -> tuple[str, str | None]:
    return error.value.code, error.value.param


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null"])
def test_a_body_is_an_object(body: bytes) -> None:
    with pytest.raises(RequestError) as error:
        object_of(body, LIMITS)

    assert error.value.code == "invalid_body"


KEYS = frozenset({"messages", "max_tokens", "dataSources"})


@given(name=st.sampled_from(sorted(KEYS)), upper=st.lists(st.booleans(), min_size=11, max_size=11))
def test_j1_a_known_key_in_another_case_is_refused_and_named(name: str, upper: list[bool]) -> None:
    pairs = zip(name, upper, strict=False)
    key = "".join(letter.swapcase() if swap else letter for letter, swap in pairs)
    if key == name:
        check_case({key: "x", "anything": "x"}, KEYS)
        return
    with pytest.raises(RequestError) as error:
        check_case({key: "x"}, KEYS, "somewhere")

    assert refused(error) == ("ambiguous_key", f"somewhere.{name}")


def test_j1_a_body_is_looked_at_before_it_is_read() -> None:
    with pytest.raises(RequestError) as error:
        object_of(b'{"Messages": 1}', LIMITS, KEYS)

    assert refused(error) == ("ambiguous_key", "messages")


@pytest.mark.parametrize(
    "key", ["maxTokens", "data_sources", "message", "Message", "", "MESSAGES_"]
)
def test_j1_keys_that_no_server_takes_for_a_known_one_are_anybodys(key: str) -> None:
    check_case({key: {"Messages": []}}, KEYS)


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_a_field_that_cannot_be_judged_may_be_empty(nothing: JsonValue) -> None:
    refuse_unread({"template": nothing, "other": "x"}, {"template"})


@pytest.mark.parametrize("something", ["x", [1], {"a": None}, False, 0])
def test_a_field_that_cannot_be_judged_is_refused_by_name(something: JsonValue) -> None:
    with pytest.raises(RequestError) as error:
        refuse_unread({"template": something}, {"template"})

    assert refused(error) == ("unsupported_field", "template")


@pytest.mark.parametrize(
    "body",
    [
        {"add_generation_prompt": True, "continue_final_message": False},
        {"chat_template_kwargs": {"enable_thinking": False, "reasoning_effort": "high"}},
        {"extra_body": {"google": {"thinking_config": {"thinking_budget": 1024}}}},
        {"extra_body": {"chat_template_kwargs": {"thinking": True}}},
    ],
)
def test_a_switch_of_the_template_changes_nothing_that_is_read(body: dict[str, JsonValue]) -> None:
    refuse_unread(body, REQUEST_REFUSED)


@pytest.mark.parametrize(
    "body",
    [
        {"add_generation_prompt": False},
        {"add_generation_prompt": 1},
        {"continue_final_message": True},
        {"chat_template_kwargs": {"enable_thinking": "no"}},
        {"chat_template_kwargs": {"enable_thinking": [True]}},
        {"chat_template_kwargs": {"continue_final_message": True}},
        {"chat_template_kwargs": {"a sentence": True}},
        {"chat_template_kwargs": {"chat_template": "x"}},
        {"extra_body": {"google": {"cached_content": "cachedContents/1"}}},
        {"extra_body": {"google": {"thinking_config": {}, "x": {}}}},
        {"extra_body": {"prompt_embeds": "x"}},
        {"extra_body": {"messages": []}},
        {"extra_body": {"extra_body": {"chat_template_kwargs": {"chat_template": "x"}}}},
    ],
)
def test_what_is_more_than_a_switch_is_refused(body: dict[str, JsonValue]) -> None:
    (field,) = body
    with pytest.raises(RequestError) as error:
        refuse_unread(body, REQUEST_REFUSED)

    assert refused(error) == ("unsupported_field", field)


@pytest.mark.parametrize("value", ["true", 1, [], {}])
def test_a_switch_is_true_or_false(value: JsonValue) -> None:
    assert switch_of({"stream": True}, "stream") is True
    assert switch_of({"stream": None}, "stream") is switch_of({}, "stream") is None
    with pytest.raises(RequestError) as error:
        switch_of({"stream": value}, "stream")

    assert refused(error) == ("invalid_type", "stream")


@pytest.mark.parametrize("value", [True, -1, 1.5, "3", []])
def test_a_count_is_a_whole_number(value: JsonValue) -> None:
    assert count_of({"top": 3}, "top") == 3
    assert count_of({"top": None}, "top") is count_of({}, "top") is None
    with pytest.raises(RequestError) as error:
        count_of({"top": value}, "top")

    assert refused(error) == ("invalid_type", "top")


def test_choices_have_a_bound() -> None:
    assert choices_of({}, "n", LIMITS) == 1
    assert choices_of({"n": 4}, "n", LIMITS) == 4
    for value in (0, 5):
        with pytest.raises(RequestError) as error:
            choices_of({"n": value}, "n", LIMITS)
        assert refused(error) == ("too_many_choices", "n")


@pytest.mark.parametrize("value", ["User", " user", "ipython", None, 1, ["user"]])
def test_m7_a_role_that_nobody_knows_is_refused(value: JsonValue) -> None:
    assert role_of("user", {"user": Role.USER}, "m") is Role.USER
    with pytest.raises(RequestError) as error:
        role_of(value, {"user": Role.USER}, "m")

    assert refused(error) == ("unknown_role", "m.role")


def test_what_biases_say_beside_numbers_of_tokens_is_left() -> None:
    assert odd_biases({"50256": -100, "12": 1.5, "word": 1, "7": "text"}) == {
        "word": 1,
        "7": "text",
    }
    assert odd_biases("text") == "text"
    assert odd_biases(None) is None
