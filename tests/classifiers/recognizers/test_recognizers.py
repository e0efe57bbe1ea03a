"""What is recognised, where, and that no text can make it slow."""

# ruff: noqa: RUF001 - digits of other scripts look like letters

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.recognizers import RECOGNIZERS, Finding, Kind, findings, pii_score

MIXED = (
    "Write to jane.roe@mail.acme.io or call +49 151 23456789; card 5555 5555 5555 4444, "
    "account DE89 3704 0044 0532 0130 00, SSN 536-90-4399, from 93.184.216.34, "
    "key sk-proj-Ab3dEf6hIj9kLmNoPqRsTuVwXyZ012345."
)


def test_each_kind_is_found_at_its_place() -> None:
    found = {finding.kind: MIXED[finding.start : finding.end] for finding in findings(MIXED)}

    assert found == {
        Kind.EMAIL: "jane.roe@mail.acme.io",
        Kind.PHONE: "+49 151 23456789",
        Kind.CARD: "5555 5555 5555 4444",
        Kind.IBAN: "DE89 3704 0044 0532 0130 00",
        Kind.NATIONAL_ID: "536-90-4399",
        Kind.IP_ADDRESS: "93.184.216.34",
        Kind.KEY: "sk-proj-Ab3dEf6hIj9kLmNoPqRsTuVwXyZ012345",
    }


def test_a_finding_does_not_hold_the_text() -> None:
    assert "jane" not in repr(list(findings(MIXED)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I water a cactus?",
        "In 2024 we sold 1,234,567 units for 99.95 each, up from 876,543.",
        "Version 1.2.3.4 replaces 10.0.19041.1 and v2.0.0.1",
        "See 2001-01-31 12:30:45 and 31.01.2001, room 12-34-56",
        "ISBN 978-3-16-148410-0, order 4000-1234-5678-9999, SKU 123456789012",
        "localhost 127.0.0.1:8080, 192.168.0.1, 10.1.2.3, 203.0.113.7, ::1, fe80::1, 2001:db8::1",
        "pip install pkg@1.2.3 and @app.route, logo@2x.png, user@localhost, a@b.example",
        "info@acme.io, no-reply@acme.io, support+de@acme.io",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx, task-oriented-dialogue-systems-for-everyone",
        "3.14159265358979323846 and 0.5772156649015328606",
        "commit 5f2b9d1c3a4e5f60718293a4b5c6d7e8f9012345",
        "9.9.9.9, 8.8.8.8 and 1.1.1.1 are resolvers; call 1-800-FLOWERS or 112",
    ],
)
def test_what_is_no_personal_data_does_not_fire(text: str) -> None:
    assert list(findings(text)) == []
    assert pii_score(text) == 0


def test_the_surest_finding_is_the_score() -> None:
    assert pii_score("from 93.184.216.34") == 0.4
    assert pii_score("from 93.184.216.34 by jane.roe@acme.io") == 0.95
    assert pii_score(MIXED) == 0.99


def test_digits_of_other_scripts_are_digits() -> None:
    arabic = "٥٥٥٥ ٥٥٥٥ ٥٥٥٥ ٤٤٤٤"
    wide = "\uff0b４９\u3000１５１\u3000２３４５６７８９"

    assert [finding.kind for finding in findings(arabic)] == [Kind.CARD]
    assert [finding.kind for finding in findings(wide)] == [Kind.PHONE]


@pytest.mark.parametrize("position", [0, 16_300, 16_384, 16_390, 33_000])
def test_nothing_is_cut_between_the_pieces_of_a_long_text(position: int) -> None:
    text = "word " * (position // 5) + " jane.roe@acme.io " + "word " * 2_000

    assert pii_score(text) == 0.95


def test_a_long_search_can_be_stopped() -> None:
    assert pii_score("word " * 10_000 + " jane.roe@acme.io", lambda: True) == 0


ADVERSARIAL = {
    "letters": "a" * 100_000,
    "digits": "1" * 100_000,
    "digits and spaces": "1 " * 50_000,
    "digits and dashes": "12-" * 33_333,
    "digits and dots": "1." * 50_000,
    "at signs": "@" * 100_000,
    "addresses without end": "a@" * 50_000,
    "labels without end": "a@" + "b." * 50_000,
    "plus signs": "+1" * 50_000,
    "phones that are none": "+1 415 555 " * 9_000,
    "accounts that are none": "DE89 3704 " * 10_000,
    "names without numbers": "nhs cpf nif " * 8_000,
    "names and digits": "nif 1" * 20_000,
    "colons": "a:" * 50_000,
    "hex": "dead:beef:" * 10_000,
    "tokens without end": "eyJ" * 33_333,
    "token parts": "eyJabcdefghijk." * 6_600,
    "keys without end": "sk-" * 33_333,
    "begins": "-----BEGIN A " * 7_600,
    "upper case": "ABCDEF12" * 12_500,
    "arabic digits": "٤" * 100_000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_no_text_makes_a_pattern_backtrack(name: str) -> None:
    text = ADVERSARIAL[name]

    assert pii_score(text) in {0.0, *(recognizer.confidence for recognizer in RECOGNIZERS)}
    for finding in findings(text[:20_000]):
        assert 0 <= finding.start < finding.end <= 20_000


@given(st.text(st.sampled_from("019+-. ()@abAZ:_\u0664\uff10é\n"), max_size=60))
def test_any_text_is_searched_without_error(text: str) -> None:
    for finding in findings(text):
        assert isinstance(finding, Finding)
        assert text[finding.start : finding.end]
