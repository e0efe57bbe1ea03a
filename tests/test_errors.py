"""The tree of errors: whose fault it is, and what they may say."""

from __future__ import annotations

import pytest

from guardproxy import errors
from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
    ConfigurationError,
    GuardproxyError,
    PolicyError,
    RequestError,
    UpstreamError,
)

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and kind.__module__ == errors.__name__
]


def test_everything_raised_on_purpose_has_one_root() -> None:
    assert all(issubclass(kind, GuardproxyError) for kind in KINDS)


def test_every_error_stands_in_the_drawing_of_the_tree() -> None:
    assert [kind.__name__ for kind in KINDS if kind.__name__ not in (errors.__doc__ or "")] == []


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            PolicyError("unknown key", file="p.yaml", line=3, key="input[0].x"),
            "p.yaml:3: input[0].x: unknown key",
        ),
        (PolicyError("not a mapping", file="p.yaml"), "p.yaml: not a mapping"),
        (PolicyError("unknown key", key="limits.x"), "limits.x: unknown key"),
        (PolicyError("is empty"), "is empty"),
    ],
)
def test_a_policy_error_says_where_and_what_in_one_line(error: PolicyError, line: str) -> None:
    assert str(error) == line
    assert isinstance(error, ConfigurationError)


def test_a_request_error_is_a_400_unless_it_says_otherwise() -> None:
    plain = RequestError("not JSON")
    special = RequestError("too large", status=413, code="body_too_large", param="body")

    assert (plain.status, plain.code, plain.param) == (400, "invalid_request", None)
    assert (special.status, special.code, special.param) == (413, "body_too_large", "body")
    assert str(special) == special.message == "too large"


def test_an_upstream_error_is_a_502_unless_it_says_otherwise() -> None:
    assert UpstreamError("no answer").status == 502
    assert UpstreamError("no answer in time", status=504).status == 504


def test_each_failure_of_the_classifier_has_its_reason() -> None:
    kinds = (ClassifierError, ClassifierDeadline, ClassifierOverloaded, ClassifierMissing)

    assert [kind.reason for kind in kinds] == ["error", "deadline", "overload", "missing"]
