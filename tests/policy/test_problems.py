from __future__ import annotations

import pytest
from pydantic import ValidationError

from guardproxy.policy.config import PolicyConfig
from guardproxy.policy.problems import Problem, problems_in, warnings_about

SECRET = "hunter2"


def policy(**given: object) -> dict[str, object]:
    return {"name": "x", "input": [{"moderation_llm_v2": {}}], "output": []} | given


def problems(value: object) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        PolicyConfig.model_validate(value)
    return list(problems_in(caught.value))


def test_every_problem_is_told_once_with_its_place() -> None:
    found = problems(policy(name=7, limits={"choices": 0, "tols": 1}, output=None))

    assert found == [
        Problem(("name",), "must be text: put it in quotes"),
        Problem(("output",), "must be a list"),
        Problem(("limits", "choices"), "must be greater than or equal to 1"),
        Problem(("limits", "tols"), "unknown key; did you mean tools?"),
    ]


def test_the_step_that_pydantic_adds_for_a_key_is_left_out() -> None:
    config = {"custom_category_thresholds": {"spam": 0.5}}

    (problem,) = problems(policy(input=[{"moderation_llm_v2": config}]))

    assert problem.loc == ("input", 0, "moderation_llm_v2", "custom_category_thresholds", "spam")


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        policy(name=SECRET + "!"),
        policy(inline=SECRET),
        policy(exempt_roles=[SECRET]),
        policy(limits={"choices": SECRET}),
        policy(passthrough=[{"path": SECRET, "methods": [SECRET]}]),
    ],
)
def test_no_message_repeats_what_was_given(value: object) -> None:
    assert all(SECRET not in problem.message for problem in problems(value))


def test_what_is_seldom_meant_is_warned_about() -> None:
    off = {"ignore_other_categories": True, "custom_category_thresholds": {"pii": 1.0}}
    config = PolicyConfig.model_validate(
        policy(
            input=[
                {"moderation_llm_v1": {}, "moderation_llm_v2": {"action": "block"} | off},
                {"moderation_llm_v2": off},
            ]
        )
    )

    assert [problem.loc for problem in warnings_about(config)] == [
        ("input", 0, "moderation_llm_v1"),
        ("input", 0, "moderation_llm_v2"),
    ]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"input": [{"moderation_llm_v2": {}, "action": "block"}]},
            "unknown key here: belongs one level deeper, below moderation_llm_v2",
        ),
        (
            {"input": [{"moderation_llm_v2": {"pii": 0.4}}]},
            "unknown key here: belongs one level deeper, below custom_category_thresholds",
        ),
        (
            {"input": [{"moderation_llm_v2": {"block_on_error": True}}]},
            "unknown key here: belongs one level higher, beside moderation_llm_v2",
        ),
        ({"choices": 3}, "unknown key here: belongs below limits"),
        ({"limits": {"output": []}}, "unknown key here: belongs at the top level"),
    ],
)
def test_a_known_key_in_the_wrong_place_is_told_where_it_belongs(
    given: dict[str, object], says: str
) -> None:
    (problem,) = problems(policy(**given))

    assert problem.message == says


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "has neither moderation_llm_v1 nor moderation_llm_v2"),
        ({"moderation_llm_v2": None}, "moderation_llm_v2 is empty; give at least its action"),
        ({"moderation_llm_v1": None}, "moderation_llm_v1 is empty; give at least its action"),
        (
            {"moderation_llm_v2": {"ignore_other_categories": True}},
            "evaluates no category: ignore_other_categories is true and no threshold is given",
        ),
    ],
)
def test_only_callers_are_told_of_client_libraries(entry: object, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PolicyConfig.model_validate(policy(input=[entry]))

    (written,) = problems_in(caught.value)
    (sent,) = problems_in(caught.value, sent_by_client=True)

    assert written.message == says
    assert sent.message == f"{says}; a client library may have dropped an invalid one"
