"""Marks on letters: away where they pile up, strike through, or sit on nearly every letter."""

from __future__ import annotations

import re
import unicodedata

MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
"""Those that belong to no script, as a range of a pattern."""
MARK = re.compile(f"[{MARKS}]")
WORD = re.compile(f"(?:[^\\W\\d_][{MARKS}]*)+")
"""Letters, each with its marks."""
WORD_LETTERS = 3
"""Shortest word to judge by shares: shorter ones are symbols and units."""
_MARKED = re.compile(f"[^{MARKS}][{MARKS}]")
_PILE = re.compile(f"[{MARKS}]{{2}}")
_OVERLAY = re.compile("[\u0334-\u0338\u20d2\u20d3\u20e5\u20e6]")
# Two letters that may carry a mark, and no mark by itself: nothing piles up there.
_FEW_ACCENTS = re.compile(f"[A-Za-z]*+(?:[^\x00-\x7f{MARKS}][A-Za-z]*+){{0,2}}+")
_MARKED_SHARE = 0.75
"""Of a word's letters with an accent; no honest spelling has as many."""


def without_piles(text: str) -> str:
    """The text with each word as `_without_piled_marks` leaves it."""
    # Each word once: a text says most of its words again, and honest accents change none.
    words = {found[0] for found in WORD.finditer(text) if not found[0].isascii()}
    changed = {word: bare for word in words if (bare := _without_piled_marks(word)) != word}
    if not changed:
        return text
    return WORD.sub(lambda word: changed.get(word[0], word[0]), text)


def _without_piled_marks(word: str) -> str:
    """The word without marks where they pile up, strike through, or sit on nearly every letter."""
    if _FEW_ACCENTS.fullmatch(word):
        return word
    bare = _OVERLAY.sub("", word)
    apart = unicodedata.normalize("NFD", bare)
    letters = MARK.sub("", apart)
    marked = len(_MARKED.findall(apart))
    covered = letters.isascii() and marked >= max(_MARKED_SHARE * len(letters), WORD_LETTERS)
    return letters if covered or _PILE.search(bare) else bare
