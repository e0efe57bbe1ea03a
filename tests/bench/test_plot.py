from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

from guardproxy.bench.plot import plot
from guardproxy.bench.records import Run
from tests.bench.runs import TITLES, run

SVG = "{http://www.w3.org/2000/svg}"


def read(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - it was made here


def test_every_target_has_a_bar_as_long_as_its_figure_is_large() -> None:
    picture = read(plot(run()))
    widths = [float(rect.attrib["width"]) for rect in picture.iter(f"{SVG}rect")][1:]
    added, rates = widths[: len(TITLES) - 1], widths[len(TITLES) - 1 :]

    assert len(rates) == len(TITLES)
    assert max(rates) == rates[0], "nobody is faster than the upstream itself"
    assert min(added) == added[0], "nobody adds less than nginx"
    assert all(0 < width < 900 for width in widths)


def test_titles_are_text_and_not_markup() -> None:
    found = run()
    named = replace(
        found, subjects=[replace(each, title=f"<{each.title}>") for each in found.subjects]
    )
    texts = [text.text or "" for text in read(plot(named)).iter(f"{SVG}text")]

    assert "<direct>" in texts


def test_nothing_measured_is_an_empty_picture() -> None:
    picture = read(plot(Run(machine={}, versions={}, subjects=[])))

    assert len(list(picture.iter(f"{SVG}rect"))) == 1


def test_a_single_bar_is_whole() -> None:
    found = run()
    one = replace(found, subjects=found.subjects[:1])
    (bar,) = list(read(plot(one)).iter(f"{SVG}rect"))[1:]

    assert float(bar.attrib["width"]) > 500
