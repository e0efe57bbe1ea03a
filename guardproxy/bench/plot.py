"""A run as a picture: two rows of bars, as SVG, which needs no library. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from guardproxy.bench.gateways import DIRECT
from guardproxy.bench.plan import CONNECTIONS, WORDS
from guardproxy.bench.records import Run
from guardproxy.bench.summary import Summary, summary_of
from guardproxy.bench.tables import number

_WIDTH: Final = 900
_LEFT: Final = 300
_RIGHT: Final = 90
_BAR: Final = 18
_STEP: Final = 26
_TITLE: Final = 34
_MARGIN: Final = 16
_OURS: Final = "#2563eb"
_OTHERS: Final = "#9ca3af"
_TEXT: Final = "#111827"


@dataclass(frozen=True, slots=True)
class Bar:
    """One target's figure; above zero."""

    title: str
    value: float
    ours: bool


def plot(run: Run) -> str:
    """Added latency at one connection, and throughput at many, as SVG."""
    summary = summary_of(run)
    panels = [
        (f"added p50, ms (1 connection, prompts of {WORDS} tokens)", _added(run, summary)),
        (f"requests/s at {CONNECTIONS[1]} connections", _rates(run, summary)),
    ]
    parts: list[str] = []
    top = _MARGIN
    for title, bars in panels:
        parts.append(_panel(title, bars, top))
        top += _TITLE + _STEP * len(bars) + _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" '
        f'viewBox="0 0 {_WIDTH} {top}" font-family="sans-serif" font-size="13">'
    )
    ground = f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"


def _added(run: Run, summary: Summary) -> list[Bar]:
    found = ((each, summary.added(each.key, DIRECT)) for each in run.subjects)
    return [
        Bar(each.title, value * 1000, ours=each.key.startswith("guardproxy"))
        for each, value in found
        if value is not None and value > 0
    ]


def _rates(run: Run, summary: Summary) -> list[Bar]:
    found = ((each, summary.cell(each.key, CONNECTIONS[1])) for each in run.subjects)
    return [
        Bar(each.title, cell.rate, ours=each.key.startswith("guardproxy"))
        for each, cell in found
        if cell is not None and cell.rate > 0
    ]


def _panel(title: str, bars: Sequence[Bar], top: int) -> str:
    place = f'x="{_MARGIN}" y="{top + 16}" font-weight="bold" fill="{_TEXT}"'
    parts = [f"<text {place}>{escape(title)}, logarithmic</text>"]
    shares = _shares([bar.value for bar in bars])
    for line, (bar, share) in enumerate(zip(bars, shares, strict=True)):
        y = top + _TITLE + line * _STEP
        length = share * (_WIDTH - _LEFT - _RIGHT)
        colour = _OURS if bar.ours else _OTHERS
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end" fill="{_TEXT}">'
            f"{escape(bar.title)}</text>"
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" fill="{colour}"/>'
            f'<text x="{_LEFT + length + 6:.1f}" y="{y + 14}" fill="{_TEXT}">'
            f"{number(bar.value)}</text>"
        )
    return "\n".join(parts)


def _shares(values: Sequence[float]) -> list[float]:
    """Lengths between 0 and 1 by logarithm, from the power of ten below the smallest."""
    if not values:
        return []
    start = math.ceil(math.log10(min(values))) - 1
    span = math.log10(max(values)) - start
    return [(math.log10(value) - start) / span for value in values]
