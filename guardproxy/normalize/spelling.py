"""Undoing spelling: letters set apart, digits and signs for letters."""

from __future__ import annotations

import re
from itertools import pairwise

from guardproxy.normalize.slices import occurs, substitute

_LETTER = "[A-Za-z\u00c0-\u024f\u0370-\u052f]"
_SEPARATOR = "[ .\\-_*|/~+\u00b7\u2022\n]"
# The first of these is quick and finds what the second needs.
_APART_HINT = re.compile(f"{_SEPARATOR}{_LETTER}{_SEPARATOR}{_LETTER}{_SEPARATOR}")
_APART = re.compile(
    f"(?<![^\\W_]){_LETTER}(?P<gap>{_SEPARATOR}){_LETTER}(?:(?P=gap){_LETTER}){{2,}}+(?![^\\W_])"
)

_LEET = str.maketrans("@431!|0$57+", "aaeiiiosstt")
_LEET_HINT = re.compile(r"[013457@$!|+][A-Za-z]")
_LEET_WORD = re.compile(r"(?=.*[013457@$!|+][A-Za-z])[A-Za-z013457@$!|+]{2,24}")
_SPELT_WORD = re.compile(r"(?=.*[A-Za-z])[A-Za-z013457@$!|+]{2,24}")
_UNIT = re.compile(r"[0-9]+[A-Za-z]{1,2}|0x[0-9A-Fa-f]+")
_PUNCTUATION = ".,;:?!\"'()"
_LEET_WORDS = 2
_LEET_SHARE = 0.4
"""Of a text's words. Names, versions and doses have digits too, but not every second word."""


def respell(text: str) -> str:
    """Single letters set apart joined to words; digits for letters read as letters."""
    if occurs(_APART_HINT, text):
        text = substitute(_APART, _join, text)
    if occurs(_LEET_HINT, text):
        text = _read_leet(text)
    return text


def _join(run: re.Match[str]) -> str:
    letters = run[0][::2]
    # An alphabet or a list of choices is no word.
    steps = {ord(b) - ord(a) for a, b in pairwise(letters)}
    return run[0] if steps <= {0, 1} else letters


def _read_leet(text: str) -> str:
    words = text.split()
    leet = sum(_is_word(_LEET_WORD, word) for word in words)
    if leet < max(_LEET_WORDS, _LEET_SHARE * len(words)):
        return text
    return re.sub(
        r"\S+",
        lambda word: _plain(word[0]) if _is_word(_SPELT_WORD, word[0]) else word[0],
        text,
    )


def _is_word(kind: re.Pattern[str], word: str) -> bool:
    bare = word.strip(_PUNCTUATION)
    return kind.fullmatch(bare) is not None and not _UNIT.fullmatch(bare)


def _plain(word: str) -> str:
    kept = len(word.rstrip(_PUNCTUATION))
    return word[:kept].replace("11", "ll").translate(_LEET) + word[kept:]
