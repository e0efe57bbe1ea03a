"""Names of fields, by their case."""

from __future__ import annotations

import pytest

from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.errors import StreamError
from guardproxy.strict_json import JsonValue

NAMES = named("index", choices=named(delta=named("content", "task")))


@pytest.mark.parametrize(
    "value",
    [
        {"Choices": []},
        {"choices": [{}, {"DELTA": {}}]},
        {"choices": {"delta": [[{"cOntent": ""}]]}},
        {"choices": [{"delta": {"content": "", "ta\u017fk": ""}}]},
        {"choices": [{"delta": {"tas\u212a": ""}}]},
    ],
)
def test_a_known_name_in_another_case_ends_the_stream(value: JsonValue) -> None:
    with pytest.raises(StreamError):
        check_spelling(value, NAMES)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "Choices",
        {"choices": [{"delta": {"content": {"Content": ""}}, "Index": 0}], "index": "Index"},
        {"other": {"Choices": []}, "Delta": ""},
    ],
)
def test_all_else_goes_on(value: JsonValue) -> None:
    check_spelling(value, NAMES)
