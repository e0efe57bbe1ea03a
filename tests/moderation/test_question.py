from __future__ import annotations

import pytest

from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
    RequestError,
)
from guardproxy.moderation.question import InvalidBodyError, InvalidPlace, refused, unanswered


def test_a_refused_request_keeps_what_was_said() -> None:
    problem = refused(RequestError("No.", status=413, code="too_large", param="input"))

    assert (problem.status, problem.message, problem.code, problem.param) == (
        413,
        "No.",
        "too_large",
        "input",
    )
    assert problem.places == ()
    assert not problem.retry


def test_an_invalid_body_names_its_first_place_and_keeps_all() -> None:
    places = (InvalidPlace(("input", 0, "role"), "No.", "literal"), InvalidPlace((), "No.", "x"))
    problem = refused(InvalidBodyError(places))

    assert (problem.status, problem.code, problem.param) == (422, "literal", "input.0.role")
    assert problem.places == places


def test_an_invalid_body_as_a_whole_has_no_param() -> None:
    assert InvalidBodyError([InvalidPlace((), "No.", "x")]).param is None


@pytest.mark.parametrize(
    ("error", "code", "retry"),
    [
        (ClassifierError("x"), "classifier_error", False),
        (ClassifierDeadline("x"), "classifier_deadline", False),
        (ClassifierMissing("x"), "classifier_missing", False),
        (ClassifierOverloaded("x"), "classifier_overload", True),
    ],
)
def test_a_classifier_that_did_not_answer_is_a_503(
    error: ClassifierError, code: str, retry: bool
) -> None:
    problem = unanswered(error)

    assert (problem.status, problem.code, problem.retry) == (503, code, retry)
    assert problem.message.startswith("Nothing was judged: ")
