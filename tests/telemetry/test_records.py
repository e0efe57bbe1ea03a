from __future__ import annotations

import json
import logging
from collections import OrderedDict
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.errors import ClassifierDeadline, GuardproxyError, PolicyError
from guardproxy.policy.config import PolicyConfig
from guardproxy.telemetry.records import (
    LONGEST_TEXT,
    MOST_CAUSES,
    MOST_ELEMENTS,
    escaped,
    fields_of,
    is_wanted,
    plain,
)
from tests.telemetry.samples import CANARY, KEY


def record(
    message: str, *args: object, name: str = "guardproxy.test", level: int = logging.INFO
) -> logging.LogRecord:
    return logging.LogRecord(name, level, "/lib/somewhere.py", 12, message, args, None)


def failed(error: BaseException, name: str = "guardproxy.test") -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.ERROR, "f.py", 1, "failed", None, exc_info)


def test_time_level_logger_and_message_come_first() -> None:
    made = record("policy %s loaded", "default")
    made.created = 0.0

    assert fields_of(made) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "logger": "guardproxy.test",
        "message": "policy default loaded",
    }


def test_named_arguments_are_filled_in_too() -> None:
    made = logging.LogRecord("guardproxy", 20, "f.py", 1, "%(a)s!", ({"a": "b"},), None)

    assert fields_of(made)["message"] == "b!"


@pytest.mark.parametrize(("message", "args"), [("%s %s", (1,)), ("%d", ("x",)), ("%(a)s", ({},))])
def test_a_message_that_does_not_fit_its_arguments_is_kept_as_it_is(
    message: str, args: tuple[object, ...]
) -> None:
    made = logging.LogRecord("guardproxy", 20, "f.py", 1, message, args, None)

    assert fields_of(made)["message"] == message


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31mred",
        "a\nb\r",
        "\u202eevil",
        "zero\u200bwidth",
        "\x7f\x9b",
        "\u2028",
        "\ud800",
        "\x00",
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(text) != text


@given(st.text())
def test_escaped_text_is_printable_and_bounded(text: str) -> None:
    assert escaped(text).isprintable()
    assert len(escaped(text)) <= LONGEST_TEXT * 10 + 40


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=LONGEST_TEXT))
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert escaped(text) == text


def test_a_long_field_is_cut_and_says_so() -> None:
    assert escaped("a" * (LONGEST_TEXT + 7)) == "a" * LONGEST_TEXT + "... 7 more"


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Colour.RED, "red"),
        (Path("a/b"), "a/b"),
        (("a", 1), ["a", 1]),
        (frozenset({1}), [1]),
        (OrderedDict(a="\n"), {"a": "\\n"}),
        (b"bytes", "bytes"),
        (object(), "object"),
        (ValueError(CANARY), "ValueError"),
        (ClassifierDeadline("after 2 s"), "ClassifierDeadline: after 2 s"),
        (range(100), list(range(MOST_ELEMENTS))),
    ],
)
def test_a_field_is_data_or_the_name_of_its_type(value: object, shown: object) -> None:
    assert plain(value) == shown
    json.dumps(plain(value), allow_nan=False)


def test_our_own_records_carry_their_fields() -> None:
    made = record("loaded")
    made.policy = "default"

    assert fields_of(made)["policy"] == "default"


def test_fields_of_other_libraries_are_left_out() -> None:
    made = record("x", name="uvicorn.error")
    made.body = CANARY

    assert CANARY not in str(fields_of(made))


@pytest.mark.parametrize(
    ("name", "message", "args", "shown"),
    [
        ("uvicorn.error", "Started server process [%d]", (7,), "Started server process [7]"),
        ("uvicorn.error", f"Traceback (most recent\n{CANARY}", (), "Traceback (most recent"),
        ("asyncio", f"Task exception was never\n{CANARY}", (), "Task exception was never"),
        ("asyncio", "%s", (CANARY,), "%s"),
        ("httpx", f"HTTP Request: {CANARY}", (), "withheld, from somewhere:12"),
        ("py.warnings", CANARY, (), "withheld, from somewhere:12"),
        ("guardproxyish", CANARY, (), "withheld, from somewhere:12"),
    ],
)
def test_other_libraries_are_not_trusted_with_text(
    name: str, message: str, args: tuple[object, ...], shown: str
) -> None:
    assert fields_of(record(message, *args, name=name))["message"] == shown


@pytest.mark.parametrize(
    ("name", "level", "wanted"),
    [
        ("guardproxy", logging.DEBUG, True),
        ("uvicorn.error", logging.INFO, True),
        ("httpx", logging.INFO, False),
        ("httpx", logging.WARNING, True),
    ],
)
def test_chatter_of_other_libraries_is_left_out(name: str, level: int, wanted: bool) -> None:
    assert is_wanted(record("x", name=name, level=level)) is wanted


@pytest.mark.parametrize("name", ["guardproxy.proxy", "uvicorn.error", "asyncio", "aiohttp"])
def test_a_foreign_exception_is_its_type_alone(name: str) -> None:
    line = fields_of(failed(ValueError(f"cannot read {CANARY} {KEY}"), name))

    assert line["error"] == "ValueError"
    assert "canary" not in json.dumps(line)


def test_an_exception_in_a_message_is_its_type_alone() -> None:
    line = fields_of(record("call failed: %s (%r)", ValueError(CANARY), KeyError(KEY)))

    assert line["message"] == "call failed: ValueError ('KeyError')"


def test_our_own_exceptions_may_speak() -> None:
    line = fields_of(failed(PolicyError("unknown key", file="p.yaml", line=3, key="limitz")))

    assert line["error"] == "PolicyError: p.yaml:3: limitz: unknown key"


def test_causes_contexts_and_members_of_groups_are_named() -> None:
    ours = GuardproxyError("upstream")
    ours.__cause__ = OSError(CANARY)
    group = ExceptionGroup("several", [KeyError(KEY), ValueError(CANARY)])
    group.__context__ = ours
    line = fields_of(failed(group))

    assert line["error"] == "ExceptionGroup"
    assert line["caused_by"] == ["KeyError", "ValueError", "GuardproxyError: upstream", "OSError"]


def test_a_context_that_was_hidden_stays_hidden() -> None:
    error = ValueError(CANARY)
    error.__context__ = OSError(CANARY)
    error.__suppress_context__ = True

    assert fields_of(failed(error))["caused_by"] == []


def test_chains_end_even_when_they_bite_their_tail() -> None:
    error, other = ValueError(), OSError()
    error.__cause__, other.__cause__ = other, error
    long: Exception = ValueError()
    for _ in range(50):
        outer = ValueError()
        outer.__cause__ = long
        long = outer

    assert fields_of(failed(error))["caused_by"] == ["OSError"]
    assert len(str(fields_of(failed(long))["caused_by"]).split(",")) == MOST_CAUSES - 1


def test_frames_are_ours_alone_and_hold_no_source() -> None:
    with pytest.raises(ValueError, match="validation error") as caught:
        PolicyConfig.model_validate({"name": CANARY, "input": [{}], "output": []})
    line = fields_of(failed(caught.value))
    with pytest.raises(TypeError) as ours:
        escaped(None)  # type: ignore[arg-type] # to see it fail inside the package
    own = fields_of(failed(ours.value))

    assert line["frames"] == []
    assert "canary" not in json.dumps(line)
    assert str(own["frames"]).startswith("['guardproxy/telemetry/records.py:")
    assert str(own["frames"]).endswith(" escaped']")


def test_a_record_whose_exception_is_gone_is_a_plain_line() -> None:
    made = record("x")
    made.exc_info = (None, None, None)

    assert "error" not in fields_of(made)
