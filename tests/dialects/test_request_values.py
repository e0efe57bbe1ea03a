"""Values of a request that must have a shape."""

from __future__ import annotations

import pytest

from guardproxy.content import Role
from guardproxy.dialects.request_values import (
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


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_a_field_that_cannot_be_judged_may_be_empty(nothing: JsonValue) -> None:
    refuse_unread({"template": nothing, "other": "x"}, {"template"})


@pytest.mark.parametrize("something", ["x", [1], {"a": None}, False, 0])
def test_a_field_that_cannot_be_judged_is_refused_by_name(something: JsonValue) -> None:
    with pytest.raises(RequestError) as error:
        refuse_unread({"template": something}, {"template"})

    assert refused(error) == ("unsupported_field", "template")


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
