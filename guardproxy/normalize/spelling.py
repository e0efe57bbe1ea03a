"""Undoing spelling: letters set apart, digits and signs for letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import chain, groupby, pairwise, zip_longest

from guardproxy.normalize.slices import occurs, substitute

_LETTER = "[A-Za-z\u00c0-\u024f\u0370-\u052f]"
# Quick looks that find what the pattern needs: for plain text by one sign a character, else by
# the signs and symbols that may part letters.
_KINDS = bytes(
    ord("a") if chr(code).isalpha() else ord("0") if chr(code).isdigit() else ord(" ")
    for code in range(128)
).ljust(256)
_APART_KINDS = re.compile(rb" a {1,8}a {1,8}a {1,8}a ")
_SIGN = "[\\s!-/:-@\\[-`{-\u00bf\u2000-\u2bff\u2e00-\u303f\ufe10-\uff0f\U0001f000-\U0001ffff]"
_APART_HINT = re.compile(f"{_SIGN}{_LETTER}[\\W_]{{1,8}}{_LETTER}[\\W_]")
_APART = re.compile(f"(?<![^\\W_]){_LETTER}(?:[\\W_]{{1,8}}{_LETTER}(?![^\\W_])){{3,}}+")
_GAP = re.compile(r"[\W_]+")
_LONGEST_GAP = 4
"""Between letters of a word: mark-up in pairs, `**k****i**`."""
_LEAST_GAPS = 3
_LEAST_LIST_GAPS = 4
"""Where the gaps differ, or are what parts the items of lists, initials and sums."""
_LISTS = frozenset({",", ", ", ". ", "; ", " = ", " + ", " - ", "=", "+"})
_OF_CODE = re.compile(r"[=<>()\[\]{}]")

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
    if _may_be_apart(text):
        text = substitute(_APART, _join, text)
    if occurs(_LEET_HINT, text):
        text = _read_leet(text)
    return text


def _may_be_apart(text: str) -> bool:
    if text.isascii():
        return _APART_KINDS.search(b" %b " % text.encode().translate(_KINDS)) is not None
    return occurs(_APART_HINT, text)


def _join(run: re.Match[str]) -> str:
    letters = _GAP.sub("", run[0])
    # An alphabet or a list of choices is no word.
    if {ord(b) - ord(a) for a, b in pairwise(letters)} <= {0, 1}:
        return run[0]
    gaps = _GAP.findall(run[0])
    within = _within_words(gaps)
    if not any(within):
        return run[0]
    parted = (
        "" if joined else "\n" if "\n" in gap else " "
        for gap, joined in zip(gaps, within, strict=True)
    )
    return "".join(chain.from_iterable(zip_longest(letters, parted, fillvalue="")))


def _within_words(gaps: Sequence[str]) -> Sequence[bool]:
    """For each gap, whether it stands within a word; it parts words otherwise."""
    streaks = [(gap, len(list(same))) for gap, same in groupby(gaps)]
    if len({gap for gap, times in streaks if times >= _LEAST_GAPS}) < 2:
        joining = _joining(gaps)
        return [gap in joining for gap in gaps]
    # Letters set apart in one way beside others in another, as a list before a spelled word.
    # The gap between the two is of the longer kind, and parts them.
    within: list[bool] = []
    shorter = [len(gap) if times >= _LEAST_GAPS else _LONGEST_GAP for gap, times in streaks]
    beside = zip([_LONGEST_GAP, *shorter], [*shorter[1:], _LONGEST_GAP], strict=False)
    for (gap, times), (before, after) in zip(streaks, beside, strict=True):
        joined = times >= _LEAST_GAPS and len(gap) <= _LONGEST_GAP
        inner = [joined] * times
        inner[0] &= len(gap) <= before
        inner[-1] &= len(gap) <= after
        within += inner
    return within


def _joining(gaps: Sequence[str]) -> Collection[str]:
    """Which of these stand within words: the usual gap, or various ones of usual length.

    Longer ones part words, and so does white space where it is not usual.
    """
    usual, times = Counter(gaps).most_common(1)[0]
    length, spaced = len(usual), usual.isspace()
    few = len(gaps) < _LEAST_LIST_GAPS
    if 2 * times < len(gaps):
        length = Counter(map(len, gaps)).most_common(1)[0][0]
        spaced = 3 * sum(map(str.isspace, gaps)) > len(gaps)
        if few or any(map(_OF_CODE.search, (gap for gap in gaps if len(gap) > 1))):
            return ()
    elif times < _LEAST_GAPS or (few and usual in _LISTS):
        return ()
    return {
        gap
        for gap in gaps
        if len(gap) <= min(length, _LONGEST_GAP)
        and (gap == usual or "\n" not in gap)
        and (spaced or not gap.isspace())
    }


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
