"""Undoing disguise: a text -> its readings, and those of them a model should see, pure.

The model upstream reads through disguises that a small classifier does not. So the classifier
gets the raw text and, where it really differs, the text with the disguise undone; the worst score
counts. Raw always stays: undoing makes gibberish of some honest text. Patterns tell more texts
apart than a model does, so recognisers get every reading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from guardproxy.normalize.characters import clean
from guardproxy.normalize.encodings import decode_runs
from guardproxy.normalize.escapes import read_entities, unescape
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


def readings(text: str) -> tuple[str, ...]:
    """The raw text, then each cleaned one that differs in any character from those before it.

    A reading includes what the readings before it undid: characters, then escapes and mark-up,
    then encoded runs, then spelling.
    """
    found = [text]
    current = text
    for undo in (clean, _unescape, _decode, respell):
        undone = undo(current)
        if undone != current:
            current = collapse_whitespace(undone)
            found.append(current)
    return tuple(dict.fromkeys(found))


def views(text: str, *, limit: int = 4) -> tuple[str, ...]:
    """Those of a text's readings that a model reads differently, see `told_apart`."""
    return told_apart(readings(text), limit=limit)


def told_apart(readings: Sequence[str], *, limit: int = 4) -> tuple[str, ...]:
    """The first of the readings, which is raw, then each that differs from those before it.

    Where there are more than `limit`, the last, which are the most undone, are kept. What the
    tokenizer normalises itself (NFKC, white space), case, and the entities of honest mark-up make
    no difference.
    """
    raw, *undone = readings
    if not undone:
        return (raw,)
    found: dict[str, str] = {}
    for reading in undone:
        found.setdefault(_essence(reading), reading)
    found.pop(_essence(raw), None)
    return (raw, *list(found.values())[max(0, len(found) - limit + 1) :])


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
    plain = read_entities(text, letters=False) if "&" in text else text
    if not plain.isascii():
        plain = substitute(_EDGE_MARKS, lambda _: "", unicodedata.normalize("NFKC", plain))
    return " ".join(plain.casefold().split())
