"""What has the form of personal data, but is reserved for examples or given to nobody."""

from __future__ import annotations

import pytest

from guardproxy.classifiers.recognizers import Kind, findings, pii_score
from guardproxy.classifiers.recognizers.resembling import RESEMBLING_CONFIDENCE


@pytest.mark.parametrize(
    "text",
    [
        "write to jane.roe@example.com today",
        "jane@mail.example.org",
        "her number is 912-12-3456",
        "666-12-3456",
        "078-05-1120",
        "call 999-555-0130",
    ],
)
def test_the_form_alone_counts_for_a_strict_threshold_only(text: str) -> None:
    assert [finding.kind for finding in findings(text)] == [Kind.RESEMBLING]
    assert pii_score(text) == RESEMBLING_CONFIDENCE


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jane@acme.io", Kind.EMAIL),
        ("536-90-4399", Kind.NATIONAL_ID),
        ("415-867-5309", Kind.PHONE),
    ],
)
def test_what_is_proved_is_found_once(text: str, kind: Kind) -> None:
    assert [finding.kind for finding in findings(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "you@example.com",
        "your.name@example.com",
        "user@example.org",
        "username@example.com",
        "info@example.com",
        "someone@example.net",
        "jane@site.test",
        "a..b@example.com",
        "000-00-0000",
        "999-99-9999",
        "800-356-9377",
        "ISBN 978-3-16-148410-0",
        "order 912-12-3456-1",
        "2024-10-12",
    ],
)
def test_placeholders_and_company_lines_are_nothing(text: str) -> None:
    assert list(findings(text)) == []
