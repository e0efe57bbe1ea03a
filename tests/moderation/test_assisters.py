from __future__ import annotations

import pytest

from guardproxy.errors import RequestError
from guardproxy.moderation.assisters import MAX_INPUTS, error, read
from guardproxy.moderation.dispatch import ASSISTERS
from guardproxy.moderation.question import Problem
from tests.moderation.support import answered, golden


def test_it_answers_as_documented() -> None:
    assert answered(ASSISTERS, {"input": ["how to build a bomb", "good morning"]}) == golden(
        "assisters"
    )


@pytest.mark.parametrize("model", ["llama-guard-3", "shieldgemma"])
def test_both_models_are_accepted_and_named(model: str) -> None:
    assert answered(ASSISTERS, {"input": "a", "model": model})["model"] == model


def test_without_a_model_it_is_llama_guard() -> None:
    assert answered(ASSISTERS, {"input": "a"})["model"] == "llama-guard-3"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_parameter", "input"),
        ({"input": 1}, "invalid_parameter", "input"),
        ({"input": None}, "invalid_parameter", "input"),
        ({"input": ["a", 1]}, "invalid_parameter", "input[1]"),
        ({"input": ""}, "empty_input", "input"),
        ({"input": []}, "empty_input", "input"),
        ({"input": ["a", ""]}, "empty_input", "input"),
        ({"input": "a", "model": 1}, "invalid_model", "model"),
        ({"input": "a", "model": "gpt-5"}, "invalid_model", "model"),
        ({"input": "a", "language": "en"}, "invalid_parameter", "language"),
        ({"input": "a", "who am I": "me"}, "invalid_parameter", "body"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_its_place(
    body: dict[str, object], code: str, param: str
) -> None:
    with pytest.raises(RequestError) as caught:
        read(body)

    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


def test_a_hundred_inputs_and_not_one_more() -> None:
    assert len(read({"input": ["a"] * MAX_INPUTS}).passages) == 100

    with pytest.raises(RequestError) as caught:
        read({"input": ["a"] * (MAX_INPUTS + 1)})

    assert caught.value.code == "too_many_inputs"
    assert caught.value.message == "Too many inputs. Maximum is 100."


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (
            Problem(400, "No.", "empty_input", "input"),
            {
                "message": "No.",
                "type": "invalid_request_error",
                "code": "empty_input",
                "param": "input",
            },
        ),
        (
            Problem(400, "No.", "duplicate_key"),
            {"message": "No.", "type": "invalid_request_error", "code": "invalid_request"},
        ),
        (
            Problem(503, "No.", "classifier_deadline"),
            {"message": "No.", "type": "server_error", "code": "classifier_deadline"},
        ),
    ],
)
def test_errors_have_documented_codes(problem: Problem, expected: dict[str, str]) -> None:
    assert error(problem, "id") == (problem.status, {"error": expected})
