"""Readers of block-shaped requests."""

from __future__ import annotations

import re

import pytest

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.shape import Shape
from guardproxy.dialects.shaped_reader import ShapedReader, kind_of_part
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue
from tests.dialects.samples import DOCUMENT

SHAPE = Shape(re.compile("id"), media=re.compile("url"))
ADDRESS = "https://example.com/a.png"


def test_a_medium_is_what_it_stands_for_or_a_file() -> None:
    reader = ShapedReader(Limits())
    reader.shaped({"url": ADDRESS}, Role.USER, "a", SHAPE, MediaKind.IMAGE)
    reader.shaped({"url": "data:audio/wav;base64,QUJD"}, Role.USER, "b", SHAPE, MediaKind.IMAGE)

    assert [(part.kind, part.path) for part in reader.media] == [
        (MediaKind.IMAGE, "a"),
        (MediaKind.FILE, "b"),
    ]
    assert reader.texts == []


def test_a_medium_with_another_one_inside_is_one_file() -> None:
    reader = ShapedReader(Limits())
    pdf: JsonValue = {"url": ADDRESS, "thumb": DOCUMENT, "alt": "A map"}
    reader.medium(pdf, Role.USER, "a", SHAPE, MediaKind.IMAGE)

    assert [(part.kind, part.path) for part in reader.media] == [(MediaKind.FILE, "a")]
    assert [part.text for part in reader.texts] == ["A map"]


def test_more_parts_than_the_policy_allows_are_refused() -> None:
    reader = ShapedReader(Limits(parts=1))
    reader.count_part()
    with pytest.raises(RequestError, match="more than 1"):
        reader.count_part()


def test_a_part_has_a_type() -> None:
    assert kind_of_part({"type": "text"}, "a") == ({"type": "text"}, "text")
    odd_parts: list[JsonValue] = [None, "text", {}, {"type": 1}]
    for odd in odd_parts:
        with pytest.raises(RequestError):
            kind_of_part(odd, "a")
