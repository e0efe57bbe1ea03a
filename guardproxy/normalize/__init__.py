"""Undoing disguise: a text -> the views a judge should see of it, pure.

The model upstream reads through disguises that a small classifier does not. So the classifier
gets the raw text and, where it really differs, the text with the disguise undone; the worst score
counts. Raw always stays: undoing makes gibberish of some honest text.
"""

from __future__ import annotations

import re
import unicodedata

from guardproxy.normalize.characters import clean
from guardproxy.normalize.encodings import decode_runs, unescape
from guardproxy.normalize.slices import substitute
from guardproxy.normalize.spelling import respell

LONGEST_GAP = 64
"""White space longer than this says no more than one space, and would fill a model's window."""

_GAP = re.compile(
    rf"[\s\u2800\u3164\u115f\u1160\u200b-\u200f\u2060\ufeff\u00ad]{{{LONGEST_GAP + 1},}}+"
)
# Marks between words, not inside them: direction, joining, byte order.
_MARKS = "\u00ad\u061c\u200b-\u200f\u202a-\u202c\u2060\u2066-\u2069\ufeff"
_EDGE_MARKS = re.compile(f"(?<![\\w{_MARKS}])[{_MARKS}]++|[{_MARKS}]++(?!\\w)")


def views(text: str, *, limit: int = 4) -> tuple[str, ...]:
    """The raw text, then each cleaned view that differs from those before it.

    A view includes what the views before it undid: characters, then escapes and mark-up, then
    encoded runs, then spelling. Where there are more than `limit`, the most undone are kept.
    What the tokenizer normalises itself (NFKC, white space) and case make no view.
    """
    found: dict[str, str] = {}
    current = text
    for undo in (clean, _unescape, _decode, respell):
        undone = undo(current)
        if undone != current:
            current = collapse_whitespace(undone)
            found.setdefault(_essence(current), current)
    if not found:
        return (text,)
    found.pop(_essence(text), None)
    return (text, *list(found.values())[max(0, len(found) - limit + 1) :])


def collapse_whitespace(text: str) -> str:
    """The text with every gap of more than `LONGEST_GAP` blank characters as one.

    A gap that holds a line end becomes a line end. Raw text is judged after this, too: a
    megabyte of blanks would otherwise cost as much as a megabyte of words.
    """
    return substitute(_GAP, lambda gap: "\n" if "\n" in gap[0] else " ", text)


def _unescape(text: str) -> str:
    unescaped = unescape(text)
    return text if unescaped == text else clean(unescaped)


def _decode(text: str) -> str:
    decoded = decode_runs(text)
    return text if decoded == text else clean(unescape(decoded))


def _essence(text: str) -> str:
    """What is the same for texts that a classifier reads the same."""
    plain = text
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", substitute(_EDGE_MARKS, lambda _: "", text))
    return " ".join(plain.casefold().split())
