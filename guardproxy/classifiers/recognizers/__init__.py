"""Personal data that a rule can prove: form, check digits, known ranges. Pure, linear in the text.

    findings(text) -> where and what kind, never the text itself
    pii_score(text) -> how sure the surest of them is; raises `pii` beside the model

A recognizer proposes candidates with a regular expression that cannot backtrack far, and a
well-kept library (`phonenumbers`, `python-stdnum`, `ipaddress`) accepts or refuses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from guardproxy.classifiers.recognizers.contacts import CONTACTS
from guardproxy.classifiers.recognizers.finding import (
    Finding,
    Kind,
    Recognizer,
    digit_regions,
    plain_digits,
)
from guardproxy.classifiers.recognizers.keys import KEYS
from guardproxy.classifiers.recognizers.numbers import NUMBERS
from guardproxy.classifiers.recognizers.resembling import RESEMBLING

__all__ = ["RECOGNIZERS", "Finding", "Kind", "findings", "pii_score"]

RECOGNIZERS: Final[tuple[Recognizer, ...]] = (*KEYS, *NUMBERS, *CONTACTS, *RESEMBLING)
"""In the order they are tried: the surest first."""

_HIGHEST: Final = max(recognizer.confidence for recognizer in RECOGNIZERS)

_STRIDE: Final = 16_384
"""Characters looked at between two questions whether to stop: a few milliseconds."""

_LONGEST: Final = 512
"""Characters neighbouring pieces share, so that nothing is cut: more than any candidate has."""


def findings(text: str) -> Iterator[Finding]:
    """What the recognizers find, recognizer by recognizer, in order of the text in each."""
    plain = plain_digits(text)
    regions = digit_regions(plain)
    for recognizer in RECOGNIZERS:
        yield from recognizer.find(plain, regions)


def pii_score(text: str, stopped: Callable[[], bool] = lambda: False) -> float:
    """0, or the confidence of the surest finding; `stopped` ends the search of a long text."""
    surest = 0.0
    for start in range(0, max(1, len(text) - _LONGEST), _STRIDE):
        if stopped():
            break
        for finding in findings(text[start : start + _STRIDE + _LONGEST]):
            surest = max(surest, finding.confidence)
            if surest == _HIGHEST:
                return surest
    return surest
