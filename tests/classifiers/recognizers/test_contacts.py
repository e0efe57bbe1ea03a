"""Addresses and numbers where somebody can be reached."""

from __future__ import annotations

import pytest

from guardproxy.classifiers.recognizers import Kind, findings
from guardproxy.classifiers.recognizers.contacts import is_personal_email, is_phone, is_public_ip


def kinds(text: str) -> list[Kind]:
    return [finding.kind for finding in findings(text)]


@pytest.mark.parametrize(
    "text",
    [
        "jane@acme.io",
        "<jane.roe+tag@mail.acme.co.uk>",
        "mailto:o'hara_7@acme.museum.",
        "写信到jane@acme.io吧",
        "jane@acme.io。",
        "JANE@ACME.IO",
    ],
)
def test_an_address_of_a_person(text: str) -> None:
    assert kinds(text) == [Kind.EMAIL]


@pytest.mark.parametrize(
    "address",
    [
        "jane@example.com",
        "jane@mail.example.org",
        "jane@site.test",
        "jane@printer.local",
        "info@acme.io",
        "No-Reply@acme.io",
        "icon@2x.png",
        "a..b@acme.io",
        "a.@acme.io",
        "git@github.com",
        "ubuntu@ec2-1-2-3-4.compute.amazonaws.com",
        "X@W.to",
        "jane@" + "a" * 60 + ("." + "b" * 60) * 4 + ".io",
    ],
)
def test_no_address_of_a_person(address: str) -> None:
    assert not is_personal_email(address)


@pytest.mark.parametrize(
    "text",
    [
        "+1 415-867-5309",
        "+44 7911 123456",
        "+33 6 12 34 56 78",
        "+86 138 0013 8000",
        "tel:+4915123456789",
        "(415) 867-5309",
        "415-867-5309",
        "07911 123 456",
        "06 12 34 56 78",
        "06.12.34.56.78",
        "0151 23456789",
        "347 123 4567",
        "612 34 56 78",
        "+49 151 23456789 12/28",
        "+33 6 12 34 56 78 24h/24",
        "(11) 91234-5678",
        "8 (916) 123-45-67",
        "8-916-123-45-67",
        "电话13800138000。",
        "138 0013 8000",
        "090-1234-5678です",
        "010-2345-6789입니다",
        "010 1234 5678",
        "01012345678",
        "050 123 4567",
    ],
)
def test_a_phone_number(text: str) -> None:
    assert Kind.PHONE in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "+1 800 356 9377",
        "+1 000 000 0000",
        "+123",
        "call extension 4150",
        "01/02/2003 04.05.06",
        "1000000 2000000",
        "https://shop/item/415-867-5309",
        "415-867-5309-1",
        "x=13800138000",
        "Le budget est de 650 000 000 euros.",
        "The town spent 712 345 678 euros on bridges.",
        "Le marché du téléphone pèse 650 000 000 euros",
        "Telefónica: 650 000 000",
        "Total 65 927 230 289 CFA",
        "the hall has 912 345 678 seats",
        "Order id 15012345678 was shipped.",
        "+1 415 867 530 912",
    ],
)
def test_no_phone_number(text: str) -> None:
    assert Kind.PHONE not in kinds(text)


PHONE_WORDS = (
    "call me:",
    "phone_number =",
    "Tel.",
    "téléphone :",
    "appelez-moi au",
    "Handynummer",
    "cellulare",
    "llámame al",
    "mi móvil es el",
    "o meu telemóvel é",
    "ligue para",
    "мой телефон",
    "电话",
    "携帯は",
    "휴대폰",
    "هاتفي",
)


@pytest.mark.parametrize("word", PHONE_WORDS)
@pytest.mark.parametrize("number", ["612 345 678", "912 345 678", "13800138000"])
def test_what_may_be_an_amount_or_an_order_is_a_phone_number_if_named(
    word: str, number: str
) -> None:
    assert Kind.PHONE in kinds(f"{word} {number}")
    assert Kind.PHONE in kinds(f"{number} ({word})")
    assert Kind.PHONE not in kinds(f"total {number}")


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:psf/requests.git",
        "y = X@W.transpose()",
        "Z = A@B.sum(axis=0)",
        "weights@layer.values.reshape(3)",
    ],
)
def test_code_is_no_address(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text", ["jane@acme.io(work)", "jane@acme.com\uff08office\uff09", "jane@acme.io:secret"]
)
def test_what_stands_behind_an_address_does_not_hide_it(text: str) -> None:
    assert kinds(text) == [Kind.EMAIL]


def test_what_cannot_be_read_as_a_phone_number_is_none() -> None:
    assert not is_phone("not a number")
    assert not is_phone("06 12 34 56 78")


@pytest.mark.parametrize(
    "text", ["93.184.216.34", "2a00:1450:4001:82a:1234::200e", "(93.184.216.34)"]
)
def test_a_public_address(text: str) -> None:
    assert kinds(text) == [Kind.IP_ADDRESS]


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "198.51.100.23",
        "224.0.0.1",
        "1.2.3.4",
        "8.8.8.8",
        "300.1.1.1",
        "2001:db8::1",
        "fe80::1",
        "::1",
        "12:30:45",
    ],
)
def test_no_public_address(address: str) -> None:
    assert not is_public_ip(address)


@pytest.mark.parametrize("text", ["v93.184.216.34", "93.184.216.34.5", "93.184.216.34-rc1"])
def test_a_version_is_no_address(text: str) -> None:
    assert kinds(text) == []
