"""Which ends of a text wait for more; test_stream_guard.py says for how long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.unfinished import _UNFINISHED, LONGEST_VALUE, is_half, unfinished_value


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("Write to anna@exam", "anna@exam"),
        ("Your card is 4111 1111 ", "4111 1111 "),
        ("Pay to DE89 3704", "DE89 3704"),
        ("Your card is 4111_1111", "4111_1111"),
        ("Your card is **4111** **1111** ", "4111** **1111** "),
        ("Your card is `4111` `1111` `11", "4111` `1111` `11"),
        ("Your card is 4111 \u00b7 1111 \u00b7 ", "4111 \u00b7 1111 \u00b7 "),
        (
            "Your card is 4\ufe0f\u20e3 1\ufe0f\u20e3 1\ufe0f\u20e3",
            "4\ufe0f\u20e3 1\ufe0f\u20e3 1\ufe0f\u20e3",
        ),
        ("It is sunny, ", ""),
        ("It is sunny", "sunny"),
        ("x" * 300, "x" * LONGEST_VALUE),
        ("Bearer eyJ" + "a" * 200, "eyJ" + "a" * 200),
        ("x-eyJ" + "a" * 200 + ".eyJ", "eyJ" + "a" * 200 + ".eyJ"),
    ],
)
def test_an_end_waits(text: str, end: str) -> None:
    assert text[len(text) - unfinished_value(text) :] == end


@pytest.mark.parametrize("end", [
    "anna@exam", "anna@exam.", "4111 1111 ", "sk-ABCdef1234", '"a@b', "DE89 1789000000",
])  # fmt: skip
def test_half_of_a_value(end: str) -> None:
    assert is_half(end)


@pytest.mark.parametrize(
    "end",
    [
        "",
        "sunny",
        "42",
        "12345678.",
        "12345678:",
        'a@b.io"}',
        "gpt-5-mini",
        "a/b1/c2",
        "2026-09-09",
        "12:00:00.123456+00:00",
        "2026-09-09T12:00:00Z",
        "1789000000",
        "1789000000123",
        "internationally",
    ],
)
def test_no_half_of_a_value(end: str) -> None:
    assert not is_half(end)


@given(st.text(st.sampled_from("abAB12+-(._* \n,\u3002\uff11\u00e9@"), max_size=200))
def test_where_no_digit_is_an_unfinished_value_is_found_from_the_end(text: str) -> None:
    found = _UNFINISHED.search(text, max(0, len(text) - LONGEST_VALUE))

    assert unfinished_value(text) == (len(found.group()) if found else 0)
