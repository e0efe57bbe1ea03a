"""Markdown tables, and numbers in them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

NOTHING: Final = "-"
_DIGITS: Final = 3


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A titled table; the first column stands left, figures stand right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = [head, rule, *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def number(value: float | None) -> str:
    """With three digits that count, at most two of them decimals, never as a power of ten."""
    if value is None:
        return NOTHING
    whole = len(f"{abs(value):.0f}".lstrip("0"))
    return f"{value:,.{min(max(0, _DIGITS - whole), 2)}f}"


def milliseconds(seconds: float | None) -> str:
    """Seconds as a number of milliseconds."""
    return number(None if seconds is None else seconds * 1000)


def megabytes(size: float) -> str:
    """Bytes as a number of MB."""
    return number(size / 1e6)
