"""Escapes hide nothing, however the pieces they come in are cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.dialects.unfolding import Unfolding
from tests.dialects.bodies import CANARY

ESCAPED = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)


def folded(levels: int) -> str:
    text = f'{{"q": "{ESCAPED}"}}'
    for _ in range(levels - 1):
        text = json.dumps({"q": text})
    return text


def decoded(pieces: list[str]) -> list[str]:
    unfolding = Unfolding("input")
    said: dict[str, str] = {}
    for piece in pieces:
        for read in unfolding.read(piece):
            said[read.channel] = said.get(read.channel, "") + read.text
    return list(said.values())


@given(levels=st.integers(1, 4), size=st.integers(1, 12))
def test_m12_escapes_that_hide_are_undone_in_every_cut(levels: int, size: int) -> None:
    text = folded(levels)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    assert any(CANARY in each for each in decoded(pieces))


@pytest.mark.parametrize("at", range(1, len(folded(1))))
def test_m12_escapes_that_hide_are_undone_in_every_cut_in_two(at: int) -> None:
    text = folded(1)

    assert any(CANARY in each for each in decoded([text[:at], text[at:]]))


def test_what_hides_nothing_is_not_read_twice() -> None:
    assert decoded(['{"place": "Be', 'rn\\n", "q": "a \\"b\\""}']) == []


def test_what_stood_before_the_first_escape_is_read_with_it() -> None:
    assert decoded(["a bo", "\\u006d", "b"]) == ["a bomb"]


def test_half_a_surrogate_pair_is_no_error() -> None:
    assert decoded(["\\ud83d x"]) == ["\ufffd x"]
