"""How a text that is not over ends: in what may be the beginning of a value.

A value is what only its next characters make recognisable: an address, a number in groups, a key.

    unfinished_value(text) -> how many characters at its end wait for more
    is_half(end)           -> whether they look like half of a value, and not like a last word
"""

from __future__ import annotations

import re

LONGEST_VALUE = 128
"""Characters of a value that may be held back because it is not finished: a long URL is let go."""
LONGEST_HEADER = 500
"""The same of a token that tells what it is only behind its header."""

# The end of a text that may be the beginning of a value which only its next characters make
# recognisable: an address, a key, a number in groups, an IBAN.
_SEPARATORS = r"\s,;!?\u3001\u3002\uff0c\uff01\uff1b\uff1f"
_BETWEEN = (
    r"(?:[^\S\r\n]|[()./_*`~\u00b7\u2022\u2027\u2219\u22c5\u30fb\ufe0f\u20e3"
    r"\u2010-\u2015\u2212\ufe58\ufe63\uff08\uff09\uff0d\uff0e-])"
)
"""What stands between groups of digits: signs of numbers, dots, mark-up, keycaps."""
_UNFINISHED = re.compile(
    rf"(?:[^{_SEPARATORS}]+"  # one run without white space
    r"|(?:[A-Z]{1,2}\d\d?|[+\uff0b]?[(\uff08]?\d)[\dA-Z]*"  # an IBAN's or a number's beginning, ...
    rf"(?:{_BETWEEN}{{1,7}}[\dA-Z]{{1,12}})*{_BETWEEN}{{0,7}})"  # ... and its groups
    r"\Z"
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_.-]*\Z")
_DIGIT = re.compile(r"\d")
_SEPARATOR = re.compile(f"[{_SEPARATORS}]")
_QUOTED = re.compile(r"[\"'`{}\[\]<>=|]")
_OVER = (":", ")", "*")
"""What, besides, ends a value where its speaker goes on elsewhere."""
_HALF_DIGITS = 6
"""Digits that are half of a number worth hiding."""
_RUN = re.compile(r"(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]{12,}+\Z")
_LETTER = re.compile(r"[A-Za-z]")
_TIME = re.compile(
    r"(?:\d{4}-\d\d-\d\d[T ]?)?(?:\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|1[5-9]\d{8}(?:\d{3})?(?:\.\d{1,9})?"
)
"""A date, a clock's time, Unix' seconds or milliseconds: what pings and events end in."""


def unfinished_value(text: str) -> int:
    """How many characters at the end of a text may be the beginning of a value."""
    unfinished = _unfinished_run(text)
    if unfinished == LONGEST_VALUE:
        token = _TOKEN.search(text, max(0, len(text) - LONGEST_HEADER))
        return max(unfinished, len(token.group()) if token else 0)
    return unfinished


def _unfinished_run(text: str) -> int:
    if _DIGIT.search(text, max(0, len(text) - LONGEST_VALUE)):
        unfinished = _UNFINISHED.search(text, max(0, len(text) - LONGEST_VALUE))
        return len(unfinished.group()) if unfinished else 0
    # Without digits it is what stands after the last separator: looked for from the end.
    backwards = text[: -LONGEST_VALUE - 1 : -1]
    separator = _SEPARATOR.search(backwards)
    return separator.start() if separator else len(backwards)


def is_half(unfinished: str) -> bool:
    """Whether such an end looks like half of a value, not like the last word of a thought."""
    end = _QUOTED.split(unfinished.rstrip())[-1]
    if not end or end.endswith(_OVER):
        return False
    if "@" in end:
        return True
    if end.endswith(".") or _TIME.fullmatch(end):
        return False
    if sum(map(str.isdigit, end)) >= _HALF_DIGITS:
        return True
    run = _RUN.search(end)
    return run is not None and bool(_DIGIT.search(run[0]) and _LETTER.search(run[0]))
