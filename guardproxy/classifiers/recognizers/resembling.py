"""What has the form of personal data, but is reserved for examples or given to nobody.

A default policy lets it pass. One that would rather stop too much cannot know that a number in
this form is nobody's, and neither can its reader.
"""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from stdnum.us import ssn as us_ssn

from guardproxy.classifiers.recognizers.contacts import is_office
from guardproxy.classifiers.recognizers.finding import Kind, Recognizer

RESEMBLING_CONFIDENCE: Final = 0.4
"""Perhaps meant as personal data: below the embedded model's default, above `pii-only`'s."""

_PLACEHOLDERS: Final = re.compile(
    r"(?:my|your?|the|a)?[._-]?(?:e?mail|name|user(?:name)?|login|address|someone|somebody"
    r"|example|test|foo|bar)\d*|you|me"
)
"""Names that stand for a name."""


def is_sample_email(candidate: str) -> bool:
    """Whether it names somebody, at a domain reserved for documents."""
    local = candidate.lower().partition("@")[0]
    return (
        ".." not in local
        and not local.endswith(".")
        and not is_office(local)
        and not _PLACEHOLDERS.fullmatch(local)
    )


def is_unissued_ssn(candidate: str) -> bool:
    """Whether it is written like a social security number, of a range that nobody has."""
    return len(set(candidate)) > 3 and not us_ssn.is_valid(candidate)


def is_unassigned_phone(candidate: str) -> bool:
    """Whether it is written like a phone number of the USA, but no range has it."""
    return not phonenumbers.is_valid_number(phonenumbers.parse(candidate, "US"))


RESEMBLING: Final[tuple[Recognizer, ...]] = (
    Recognizer(
        Kind.RESEMBLING,
        RESEMBLING_CONFIDENCE,
        re.compile(
            r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}+"
            r"@(?:[A-Za-z0-9-]{1,63}\.){0,6}(?i:example\.(?:com|net|org))(?![A-Za-z0-9])"
        ),
        is_sample_email,
        trigger="@",
    ),
    Recognizer(
        Kind.RESEMBLING,
        RESEMBLING_CONFIDENCE,
        re.compile(r"(?<![A-Za-z0-9_./-])\d{3}-\d{2}-\d{4}(?![A-Za-z0-9_-])(?!\.\d)", re.ASCII),
        is_unissued_ssn,
        digits=True,
    ),
    Recognizer(
        Kind.RESEMBLING,
        RESEMBLING_CONFIDENCE,
        re.compile(r"(?<![\w.+/=-])[2-9]\d\d-[2-9]\d\d-\d{4}(?![\w=])(?![.-]\d)", re.ASCII),
        is_unassigned_phone,
        digits=True,
    ),
)
