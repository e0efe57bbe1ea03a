"""A long text a piece at a time gives what it gives at once, wherever a piece ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy import normalize
from guardproxy.normalize import (
    carriers,
    characters,
    encodings,
    escapes,
    invisibles,
    marks,
    slices,
    spelling,
)
from guardproxy.normalize.slices import (
    REACH,
    occurs,
    substitute,
    substitute_from,
    substitute_within,
)

PATTERNS = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module, names in (
        (normalize, ("_EDGE_MARKS", "_GAP")),
        (carriers, ("_CARRIERS", "_TAGS", "_TELLING")),
        (characters, ("_ALIKE", "_BEYOND")),
        (invisibles, ("_APART", "_INVISIBLE", "_MISPLACED", "_MISPLACED_BEYOND")),
        (marks, ("MARK",)),
        (encodings, ("_BASE32", "_BASE64", "_BINARY_HINT")),
        (encodings, ("_DECIMAL", "_GLUED_HEX", "_HEX_HINT", "_SMALL_BASE32")),
        (escapes, ("_EMPHASIS_HINT", "_EMPHASIS_IN_WORD")),
        (spelling, ("_APART", "_APART_HINT", "_LEET_HINT")),
    )
    for name in names
}
PIECES = (
    "a", "Z", "b ", " c", "_", "-", "=", "==", ".", " ", "\n", "0", "1", "01100001", "4f ", "6e",
    "QUJD", "AAAAAAAAAAAAAAAA", "word", "**", "~~", "*", "h*e*l", "pa**ss**", "p a s s ",
    "p\u00a0a\u00a0s\u00a0s", "\u200b", "\ufe0f", "\ufe01\ufe02", "\u0301", "\U0001f1e6", "\u0430",
    "\u4eca\u5929", "g00d", "w" * 30, "x.y.z.", "<", ">", "<b>", "</i>", "<!--", "-->", " " * 70,
    "0X6f, ", "00", ";", "x. y, ", "(k)", "0x6f", "\\x61", "61626364", "61 62 ", ",", ":",
    "\u200b" * 40, "107 ", "32, ", "99",
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def short() -> Iterator[None]:
    """Pieces as short as they can be, so that many of them end in the middle of something."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "SLICE", REACH + 3)
        yield


@pytest.mark.parametrize("name", PATTERNS)
@given(parts=st.lists(st.sampled_from(PIECES), max_size=150))
def test_the_outcome_is_that_of_the_pattern_itself(name: str, parts: list[str]) -> None:
    pattern, text = PATTERNS[name], "".join(parts)

    assert substitute(pattern, shown, text) == pattern.sub(shown, text)
    assert occurs(pattern, text) == bool(pattern.search(text))


@given(parts=st.lists(st.sampled_from(PIECES), max_size=150))
def test_what_lies_within_runs_is_found_there(parts: list[str]) -> None:
    pattern, text = encodings._HEX, "".join(parts)

    assert substitute_within(encodings._HEX_SPAN, pattern, shown, text) == pattern.sub(shown, text)


@given(parts=st.lists(st.sampled_from(PIECES), max_size=150))
def test_what_begins_with_a_sign_is_found_by_it(parts: list[str]) -> None:
    pattern, text = escapes._TAG_IN_WORD, "".join(parts)

    assert substitute_from("<", pattern, shown, text) == pattern.sub(shown, text)


def shown(match: re.Match[str]) -> str:
    return f"<{match.start()}:{match[0]}:{match.end()}>"


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_matches_none_of_nothing(name: str) -> None:
    assert PATTERNS[name].search("") is None


def test_a_match_longer_than_a_piece_is_one() -> None:
    run = "QUJD" * 400

    assert substitute(encodings._BASE64, lambda match: str(len(match[0])), f"so {run} so") == (
        "so 1600 so"
    )


def test_a_text_without_a_match_stays_the_same_object() -> None:
    text = "plain words " * 50

    assert substitute(encodings._BASE64, shown, text) is text
