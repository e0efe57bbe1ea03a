"""What nobody sees parts no word, and stays where it does some work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.normalize.characters import clean
from guardproxy.normalize.invisibles import compose

# Each does some work somewhere, or nothing anywhere.
UNSEEN = st.text(
    st.sampled_from(
        "\u200b\u200c\u200d\ufe0e\ufe0f\ufe00\u3164\u1160\u180e\u2060\u00ad\U000e0100\U000e0001\U000e007f"
        "\u064e\u05b0\u0951\u0e47\u302a\u3099\ua66f\u06dd\ufffc\ufffd\u0378\ufdd0\ue000\U0001bca0\U000f0000"
    ),
    max_size=5,
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("\u24da\u200d\u24d8\u200d\u24db\u200d\u24db", "kill"),
        ("\U0001f13a\u200d\U0001f138\u200d\U0001f13b\u200d\U0001f13b", "KILL"),
        ("ki\u200bll", "kill"),
        ("k\u2003i\u2003l\u2003l", "kill"),
        ("ki\u064ell", "kill"),
    ],
)
def test_what_has_no_work_goes(text: str, read: str) -> None:
    assert compose(text, beyond=max(text) > "\uffff") == read


@pytest.mark.parametrize(
    "text",
    [
        "an icon \ue0a0 alone, one at \ufffd. an end \u0378",
        "the mark \u064e and \u25cc\u0e47",
        "\u2764\ufe0f \u845b\U000e0100 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    ],
)
def test_what_does_some_work_stays(text: str) -> None:
    assert compose(text, beyond=max(text) > "\uffff") == text


@given(st.lists(UNSEEN, min_size=3, max_size=3))
def test_no_mixture_of_what_nobody_sees_parts_a_word(between: list[str]) -> None:
    first, second, third = between

    assert "kill" in clean(f"k{first}i{second}l{third}l")
