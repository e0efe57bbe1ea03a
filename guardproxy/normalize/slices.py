"""Patterns run over long texts a piece at a time.

While the engine looks through a text, no other thread of the interpreter runs: a pattern that takes
40 ms for a megabyte would keep every other caller waiting for 40 ms. What comes out is the same.

`occurs` and `substitute` are only for patterns of which this is true: a match that begins at s is
found at s in a text that is cut off `REACH` characters behind s or later, and is not another one if
it ends `REACH` before the cut. A quantifier without a bound must repeat single characters and be
possessive, and nothing that must follow may stand behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

SLICE: Final = 16_384
"""Characters looked through at once: a millisecond or so of the slowest patterns."""

REACH: Final = 128
"""Enough for every pattern that is used with this module."""


def occurs(pattern: re.Pattern[str], text: str) -> bool:
    """Whether the pattern matches anywhere."""
    if len(text) <= SLICE:
        return pattern.search(text) is not None
    return next(_matches(pattern, text), None) is not None


def substitute(
    pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str
) -> str:
    """What `pattern.sub(replacement, text)` gives."""
    if len(text) <= SLICE:
        return pattern.sub(replacement, text)
    return _replaced(_matches(pattern, text), replacement, text)


def substitute_within(
    spans: re.Pattern[str],
    pattern: re.Pattern[str],
    replacement: Callable[[re.Match[str]], str],
    text: str,
) -> str:
    """The same, for any pattern all of whose matches lie within a match of `spans`.

    `spans` matches whole runs of some characters; the pattern looks at one character more at most.
    """
    if len(text) <= SLICE:
        return pattern.sub(replacement, text)
    found = (
        match
        for span in _matches(spans, text)
        for match in pattern.finditer(text, span.start(), span.end() + 1)
    )
    return _replaced(found, replacement, text)


def substitute_from(
    sign: str, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str], text: str
) -> str:
    """The same, for any pattern all of whose matches begin with this sign."""
    if len(text) <= SLICE:
        return pattern.sub(replacement, text)
    return _replaced(_matches_from(sign, pattern, text), replacement, text)


def _replaced(
    matches: Iterable[re.Match[str]], replacement: Callable[[re.Match[str]], str], text: str
) -> str:
    parts: list[str] = []
    end = 0
    for match in matches:
        parts += (text[end : match.start()], replacement(match))
        end = match.end()
    return "".join((*parts, text[end:])) if parts else text


def _matches_from(sign: str, pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    place = text.find(sign)
    while place >= 0:
        match = pattern.match(text, place)
        if match is not None:
            yield match
        place = text.find(sign, place + 1 if match is None else match.end())


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """All matches, none of which may be empty, in order."""
    start, cut = 0, SLICE
    while True:
        cut = min(cut, len(text))
        match = pattern.search(text, start, cut)
        whole = cut == len(text)
        if match is not None and (whole or match.end() <= cut - REACH):
            yield match
            start = match.end()
        elif whole:
            return
        elif match is None:
            start = max(start, cut - REACH)
            cut = start + SLICE
        else:
            # It may go on behind the cut, or another one begin before it: look again, further.
            start = max(start, min(match.start(), cut - REACH))
            cut = start + 2 * (cut - start) + SLICE
