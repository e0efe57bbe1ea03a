"""Offsets survive the reading of other scripts, and regions hold what candidates need."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from guardproxy.classifiers.recognizers.finding import digit_regions, plain_digits


@given(st.text())
def test_reading_digits_keeps_every_offset(text: str) -> None:
    assert len(plain_digits(text)) == len(text)


def test_digits_dashes_and_spaces_are_plain() -> None:
    assert plain_digits("١٢\u2013३４\u00a0\uff20") == "12-34 @"  # noqa: RUF001 - look-alikes are the point


@given(st.text(st.sampled_from("0123a b-.\n"), max_size=400))
def test_regions_are_apart_in_order_and_hold_every_group_of_digits(text: str) -> None:
    regions = digit_regions(text)

    assert all(0 <= start < end <= len(text) for start, end in regions)
    assert all(left[1] < right[0] for left, right in pairwise(regions))
    for at in range(len(text) - 3):
        if text[at : at + 4].isdigit():
            assert any(start <= at and at + 4 <= end for start, end in regions)


def test_a_text_without_digits_has_no_region() -> None:
    assert digit_regions("no digits, or 1 or 2 or only 3") == []
