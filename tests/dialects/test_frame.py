"""What frames the events of a stream, read by hand."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from guardproxy.dialects.base import Piece
from guardproxy.dialects.frame import Frame
from guardproxy.sse import EventDecoder, ServerSentEvent


def said(*blocks: str) -> dict[str, str]:
    """What a stream of these blocks says, by channel."""
    stream = "".join(f"{block}\n\n" for block in blocks)
    return together(EventDecoder(1_000).feed(stream.encode()))


def together(events: Iterable[ServerSentEvent]) -> dict[str, str]:
    frame = Frame()
    texts: dict[str, str] = {}
    for event in events:
        for channel, text in frame.read(event):
            texts[channel] = texts.get(channel, "") + text
    return texts


def test_s16_whatever_frames_an_event_is_said() -> None:
    event = ServerSentEvent(None, "name", b"", extra=("comment", "id"), ids=("id",))

    assert list(Frame().read(event)) == [
        Piece("sse", "comment\n"),
        Piece("sse.joined", "comment"),
        Piece("sse", "id\n"),
        Piece("sse.ids", "id"),
        Piece("sse", "name\n"),
        Piece("sse.ids", "name"),
    ]


@pytest.mark.parametrize(
    ("blocks", "channel"),
    [
        ((": so kil", ": ling is"), "sse.joined"),
        ((": so kil\n: ling is",), "sse.joined"),
        (("note: so kil", "note: ling is"), "sse.joined"),
        (("id: so kil", "id: ling is"), "sse.ids"),
        (("id: s\u00f3-kil", "id: ling-is"), "sse.ids"),
        (("event: so kil", ": ping", "event: ling is"), "sse"),
        (("id: so-kil", "id: ling-is"), "sse.ids"),
        (("event: so-kil", "event: ling-is"), "sse.ids"),
    ],
)
def test_s16_a_word_cut_over_frames_is_read_as_one(blocks: tuple[str, ...], channel: str) -> None:
    assert "killing" in said(*blocks)[channel].replace("\nping\n", "").replace("\n", "")


@pytest.mark.parametrize("field", ["", "id", "event", "retry", "note"])
def test_s16_words_are_read_as_words(field: str) -> None:
    words = ["how", "to", "build", "it"]
    name = "note: " if field == "note" else ""

    assert said(*(f"{field}: {word}" for word in words))["sse"] == "".join(
        f"{name}{word}\n" for word in words
    )


def test_half_of_a_number_may_come_twice() -> None:
    assert said(": 4111 1111", ": 1111", ": 1111")["sse.joined"] == "4111 111111111111"
    assert said("id: 4111", "id: 1111", "id: 1111")["sse.ids"] == "411111111111"


@pytest.mark.parametrize(
    "ids",
    [
        ["8", "9", "10"],
        ["1718000000123-0", "1718000000190-0", "1718000000190-1"],
        ["1718000000123456", "1718000000983456"],
    ],
)
def test_an_id_that_counts_up_says_nothing_new(ids: list[str]) -> None:
    assert said(*(f"id: {each}" for each in ids)) == {"sse.ids": ids[0]}


@pytest.mark.parametrize(
    "ids", [["4123", "4567", "5678", "6789"], ["10", "9"], ["3714", "49635", "398431"]]
)
def test_numbers_that_count_nothing_are_read(ids: list[str]) -> None:
    assert said(*(f"id: {each}" for each in ids)) == {"sse.ids": "".join(ids)}


@pytest.mark.parametrize(
    "block",
    [": OPENROUTER PROCESSING", ": ping", "event: message\ndata: {}", "event: x.delta"],
)
def test_what_every_event_repeats_says_nothing_new(block: str) -> None:
    assert said(*[block] * 9) == said(block)
