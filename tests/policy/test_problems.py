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
