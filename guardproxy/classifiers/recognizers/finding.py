"""What a recognizer is, and what it finds."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Kinds of personal data that can be proved by form, and what only has the form."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    NATIONAL_ID = "national_id"
    IP_ADDRESS = "ip_address"
    KEY = "key"
    RESEMBLING = "resembling"


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data between `start` and `end` of the text; the text itself is not kept."""

    kind: Kind
    start: int
    end: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Recognizer:
    """Candidates of `pattern` that `accepts`.

    A match proposes its group `it`, or the whole. `confidence` is the score `pii` is raised to.
    Most texts are spared most searches: a candidate holds the `trigger`, or, where `digits` is
    set, lies within one of the `digit_regions`. What cannot be told from ordinary numbers counts
    only with one of the words `near` it, shortly before or behind.
    """

    kind: Kind
    confidence: float
    pattern: re.Pattern[str]
    accepts: Callable[[str], bool]
    trigger: str = ""
    digits: bool = False
    near: re.Pattern[str] | None = None

    def find(self, plain: str, regions: Sequence[tuple[int, int]]) -> Iterator[Finding]:
        """Findings in a text that has been through `plain_digits`, with its `digit_regions`."""
        group = "it" if "it" in self.pattern.groupindex else 0
        if self.trigger not in plain:
            return
        for start, end in regions if self.digits else ((0, len(plain)),):
            for match in self.pattern.finditer(plain, start, end):
                if self.accepts(match[group]) and self._is_named(plain, *match.span(group)):
                    yield Finding(self.kind, *match.span(group), self.confidence)

    def _is_named(self, plain: str, start: int, end: int) -> bool:
        if self.near is None:
            return True
        before = self.near.search(plain, max(0, start - _NEAR_BEFORE), start)
        return bool(before or self.near.search(plain, end, end + _NEAR_BEHIND))


def digit_regions(plain: str) -> list[tuple[int, int]]:
    """Where digits stand close together, with enough around them for names, prefixes and ends."""
    regions: list[tuple[int, int]] = []
    for match in _DIGITS.finditer(plain):
        start, end = max(0, match.start() - _AROUND), min(len(plain), match.end() + _AROUND)
        if regions and start <= regions[-1][1]:
            start = regions.pop()[0]
        regions.append((start, end))
    return regions


_DIGITS: Final = re.compile(r"\d(?:\D{0,12}\d){3,}", re.ASCII)
_AROUND: Final = 64
_NEAR_BEFORE: Final = 48
_NEAR_BEHIND: Final = 24


def always(_: str) -> bool:
    """Accepts: the form alone is proof."""
    return True


def plain_digits(text: str) -> str:
    """Digits of every script as 0-9, dashes as `-`, spaces as a space; offsets stay the same."""
    # Not `translate` for all of it: that looks up every character, and a pattern finds few.
    return text if text.isascii() else _MAY_BE_PLAIN.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    return _PLAIN.get(ord(found[0]), found[0])


def _plain_characters() -> dict[int, str]:
    plain = {
        code: str(digit)
        for code in range(128, sys.maxunicode + 1)
        if (digit := unicodedata.decimal(chr(code), None)) is not None
    }
    spaces = [0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000]
    dashes = [*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D]
    others = {"\uff20": "@", "\uff0e": ".", "\uff0b": "+", "\uff08": "(", "\uff09": ")"}
    return (
        plain
        | dict.fromkeys(spaces, " ")
        | dict.fromkeys(dashes, "-")
        | {ord(wide): narrow for wide, narrow in others.items()}
    )


_PLAIN: Final = _plain_characters()
_MAY_BE_PLAIN: Final = re.compile(
    f"[{''.join(re.escape(chr(code)) for code in _PLAIN if code < 0x10000)}\U00010000-\U0010ffff]"
)
"""The rarer planes as a whole: a set of their digits would be searched one by one."""
