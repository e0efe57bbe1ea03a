"""Texts in chunks are read as whoever joins them reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.dialects.chunks import whole_and_lines
from guardproxy.dialects.leaves import text_leaves
from guardproxy.policy.scope import FRAGMENT_CHARACTERS
from guardproxy.strict_json import JsonValue

LONG = "x" * FRAGMENT_CHARACTERS


def read(value: JsonValue) -> tuple[str, str]:
    return whole_and_lines(text_leaves(value))


@pytest.mark.parametrize(
    ("value", "whole", "lines"),
    [
        ("kill", "kill", ""),
        ({"a": "kil", "b": {"c": "ling"}}, "kil\nling", ""),
        (["kil", "ling"], "killing", "kil\nling"),
        ([{"text": "kil", "url": "x"}, "li", {"text": "ng"}], "killing\nx", "kil\nli\nng"),
        ([{"text": {"text": "kil"}}, {"text": {"text": "ling"}}], "killing", "kil\nling"),
        ({"a": [["kil"], ["ling"]], "b": "him"}, "killing\nhim", "kil\nling"),
        ([f"{LONG} bo", f"mb {LONG}"], f"{LONG} bomb {LONG}", ""),
        ({"two words": 1, "three more words": 1}, "two words\nthree more words", ""),
        ([], "", ""),
    ],
)
def test_what_stands_at_the_positions_of_a_list_is_one_text(
    value: JsonValue, whole: str, lines: str
) -> None:
    assert read(value) == (whole, lines)


CHUNKS = st.lists(st.text(alphabet="ab ", min_size=1), min_size=2, max_size=5)


@given(chunks=CHUNKS, beside=st.text(alphabet="cd", min_size=1))
def test_no_cut_hides_a_text_and_no_text_is_lost(chunks: list[str], beside: str) -> None:
    spoken: JsonValue = [{"type": "text", "text": text, "note": beside} for text in chunks]
    whole, lines = read({"thinking": spoken})

    assert "".join(chunks) in whole
    assert "\n".join(chunks) in lines
    assert beside in whole
