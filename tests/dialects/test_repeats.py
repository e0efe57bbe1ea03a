"""A text that was said is known wherever it comes again, and only word for word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardproxy.dialects.repeats import Repeats


def test_a_text_is_new_once() -> None:
    repeats = Repeats()

    assert repeats.is_new("It is sunny.")
    assert not repeats.is_new("It is sunny.")
    assert repeats.is_new("It is sunny!")


@given(pieces=st.lists(st.text(min_size=1), min_size=1))
def test_what_came_in_pieces_is_known_whole(pieces: list[str]) -> None:
    repeats = Repeats()
    for piece in pieces:
        repeats.continues("a", piece)

    assert not repeats.is_new("".join(pieces))
    assert repeats.is_new("".join(pieces) + "x")


def test_pieces_of_two_channels_are_not_one_text() -> None:
    repeats = Repeats()
    repeats.continues("a", "how to ")
    repeats.continues("b", "build")

    assert repeats.is_new("how to build")
    assert not repeats.is_new("how to ")


def test_a_text_that_goes_on_is_known_in_both_lengths() -> None:
    repeats = Repeats()
    repeats.continues("a", "how")
    assert not repeats.is_new("how")
    repeats.continues("a", " to")

    assert not repeats.is_new("how to")
    assert not repeats.is_new("how")


def test_memory_is_bounded_and_what_is_forgotten_is_new() -> None:
    repeats = Repeats()
    for number in range(5_000):
        repeats.is_new(str(number))

    assert repeats.is_new("0")
    assert not repeats.is_new("4999")
