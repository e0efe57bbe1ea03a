"""Marks go where they disguise a word, and stay where a language writes them."""

from __future__ import annotations

import pytest

from guardproxy.normalize.marks import without_piles


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("k\u0336il\u0336l", "kill"),
        ("k\u0323\u0301i\u0308l\u0325l", "kill"),
        ("k\u0301i\u0301l\u0301l\u0301 them", "kill them"),
    ],
)
def test_marks_that_disguise_go(text: str, read: str) -> None:
    assert without_piles(text) == read


@pytest.mark.parametrize(
    "text",
    ["caf\u00e9 \u00e9\u00e8", "ti\u1ebfng Vi\u1ec7t", "\u043c\u043e\u0439", "e\u0301t\u00e9"],
)
def test_accents_stay(text: str) -> None:
    assert without_piles(text) == text
