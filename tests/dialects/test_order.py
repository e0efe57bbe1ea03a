"""Which texts of a stream may follow which."""

from __future__ import annotations

import pytest

from guardproxy.dialects.order import Order, number_of
from guardproxy.errors import StreamError
from tests.dialects.bodies import Json

GOES_BACK = "goes back"


def follow(*channels: str) -> None:
    order = Order()
    for channel in channels:
        order.follow(channel)


@pytest.mark.parametrize(
    "channels",
    [
        ("output[0].content[0].text", "output[0].content[1].text", "output[2].content[0].text"),
        ("output[-1].text", "output[0].text"),
        ("output[9].text", "output[10].text"),
        ("a", "b", "a"),
        ("output[1].content[0].text", "output[0].summary[0].text", "output[1].content[0].text"),
    ],
)
def test_i3_what_comes_in_order_passes(channels: tuple[str, ...]) -> None:
    follow(*channels)


@pytest.mark.parametrize(
    "channels",
    [
        ("output[0].content[1].text", "output[0].content[0].text"),
        ("output[1].content[0].text", "output[0].content[7].text"),
        ("output[0].text", "output[1].text", "output[0].text"),
        ("output[0].text", "output[-1].text"),
    ],
)
def test_i3_what_goes_back_ends_the_stream(channels: tuple[str, ...]) -> None:
    with pytest.raises(StreamError, match=GOES_BACK):
        follow(*channels)


def test_i3_an_id_does_not_come_back_to_its_place() -> None:
    order = Order()
    for whose in ("a", None, "", "b", "b", 3):
        order.follow("output[0].text", whose)
    order.follow("output[0].note", "a")

    with pytest.raises(StreamError, match=GOES_BACK):
        order.follow("output[0].text", "a")


def test_an_id_may_have_several_places_and_a_place_many_ids() -> None:
    order = Order()
    order.follow("output[0].text", "a")
    order.follow("output[1].text", "b")
    order.follow("output[2].text", "a")
    for number in range(10_000):
        order.follow("output[2].text", f"id {number}")


def test_what_may_go_on_at_any_time_still_keeps_its_ids_apart() -> None:
    order = Order()
    for channel, whose in (("calls[1]", "b"), ("calls[0]", "a"), ("calls[1]", None)):
        order.stay(channel, whose)
    order.stay("calls[0]", "c")

    with pytest.raises(StreamError, match=GOES_BACK):
        order.stay("calls[0]", "a")


@pytest.mark.parametrize("number", [0, 7, -1, None])
def test_a_number_is_whole_or_absent(number: Json) -> None:
    assert number_of(number) == number


@pytest.mark.parametrize("number", [True, 1.0, "1", [1], {}])
def test_s6_what_only_some_read_as_a_number_ends_the_stream(number: Json) -> None:
    with pytest.raises(StreamError):
        number_of(number)
