"""How often ordinary numbers are taken for personal data, and how seldom the reverse."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from stdnum import ean, luhn

from guardproxy.classifiers.recognizers import pii_score

Draw = Callable[[random.Random], str]

TRIES = 1_000
SURE = 0.9


def number(draw: random.Random, digits: int, start: str = "") -> str:
    return start + "".join(draw.choice("0123456789") for _ in range(digits - len(start)))


def barcode(draw: random.Random, digits: int, start: str = "") -> str:
    code = number(draw, digits - 1, start)
    return code + ean.calc_check_digit(code)


def moment(draw: random.Random, form: str) -> str:
    start = datetime(2015, 1, 1, tzinfo=UTC)
    return (start + timedelta(seconds=draw.randrange(400_000_000))).strftime(form)


def row(draw: random.Random, numbers: int, between: str = " ") -> str:
    return between.join(str(draw.randrange(1_000, 10_000)) for _ in range(numbers))


def thousands(draw: random.Random, first: int) -> str:
    return f"{draw.randrange(first // 10, first)} {number(draw, 3)} {number(draw, 3)}"


def card(draw: random.Random) -> str:
    digits = number(draw, 15, draw.choice(["4", "51", "55", "2221", "6011", "3528", "2200"]))
    return digits + luhn.calc_check_digit(digits)


def groups(digits: str, between: str = " ") -> str:
    return between.join(digits[at : at + 4] for at in range(0, 16, 4))


ORDINARY: dict[str, tuple[float, Draw]] = {
    "UPC": (0, lambda draw: "UPC " + barcode(draw, 12, "0")),
    "EAN": (0, lambda draw: "EAN " + barcode(draw, 13, "4")),
    "GTIN-14": (0.01, lambda draw: "GTIN " + barcode(draw, 14)),
    "minutes": (0, lambda draw: "log-" + moment(draw, "%Y%m%d%H%M")),
    "day and time": (0, lambda draw: "at " + moment(draw, "%Y%m%d %H%M")),
    "seconds": (0, lambda draw: "at " + moment(draw, "%Y%m%d%H%M%S")),
    "11 digits": (0, lambda draw: f"Order id {number(draw, 11, '1')} was shipped."),
    "12 digits": (0, lambda draw: "id " + number(draw, 12)),
    "13 digits": (0, lambda draw: "id " + number(draw, 13)),
    "16 digits": (0.04, lambda draw: "id " + number(draw, 16)),
    "17 digits": (0.01, lambda draw: "id " + number(draw, 17)),
    "fraction": (0, lambda draw: "0." + number(draw, 16)),
    "prefixed": (0, lambda draw: "TXN" + number(draw, 16)),
    "commit": (0.001, lambda draw: f"commit {draw.getrandbits(160):040x}"),
    "millions": (0, lambda draw: f"sum {thousands(draw, 1_000)} euros"),
    "milliards": (0.01, lambda draw: f"sum {thousands(draw, 100)} {number(draw, 3)} CFA"),
    "growth": (0.05, lambda draw: f"up by +{thousands(draw, 1_000)}"),
    "years": (0, lambda draw: " ".join(map(str, sorted(draw.sample(range(1990, 2030), 3))))),
    "3 in a row": (0, lambda draw: row(draw, 3)),
    "4 in a row": (0.04, lambda draw: row(draw, 4)),
    "5 in a row": (0.005, lambda draw: row(draw, 5)),
    "8 in a row": (0.005, lambda draw: row(draw, 8)),
    "long row": (0.01, lambda draw: " ".join(str(draw.randrange(10**6)) for _ in range(50))),
    "list": (0, lambda draw: f"[{row(draw, 4, ', ')}]"),
    "table": (0, lambda draw: f"| {row(draw, 4, ' | ')} |"),
    "columns": (0, lambda draw: row(draw, 4, "  ")),
    "digits": (0.01, lambda draw: " ".join(number(draw, draw.randrange(5, 31)))),
    "digits in a list": (0, lambda draw: ", ".join(number(draw, 16))),
}
"""Kind, at most how much of it may fire (a card's form and check digit can come by chance)."""

PERSONAL: dict[str, Draw] = {
    "whole": card,
    "groups": lambda draw: groups(card(draw)),
    "expiry": lambda draw: card(draw) + " 12/28",
    "groups, expiry": lambda draw: groups(card(draw)) + " 12/28 123",
    "groups, expiry as digits": lambda draw: groups(card(draw)) + " 1228 123",
    "code": lambda draw: groups(card(draw), "-") + "-123",
    "dots": lambda draw: groups(card(draw), "."),
    "slashes": lambda draw: groups(card(draw), "/"),
    "spaced": lambda draw: " ".join(card(draw)),
    "named list": lambda draw: f"card: {groups(card(draw), ',')}",
    "named cells": lambda draw: f"| {groups(card(draw), ' | ')} | my Visa",
    "named mobile": lambda draw: f"ll\u00e1mame al {number(draw, 3, '6')} {number(draw, 3)} 678",
    "Chinese mobile": lambda draw: f"\u8bf7\u6253{number(draw, 11, '138')}",
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_numbers_seldom_fire(kind: str) -> None:
    most, make = ORDINARY[kind]
    draw = random.Random(kind)  # noqa: S311 - draws the same each time

    assert sum(pii_score(make(draw)) > SURE for _ in range(TRIES)) <= most * TRIES


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_numbers_always_fire(kind: str) -> None:
    draw = random.Random(kind)  # noqa: S311 - draws the same each time

    assert all(pii_score(PERSONAL[kind](draw)) > SURE for _ in range(TRIES // 10))
