"""What fields that nobody knows say over the events of a stream."""

from __future__ import annotations

from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.rest import Lines, Rest
from guardproxy.dialects.unfolding import TAIL
from guardproxy.strict_json import JsonValue


def rest_of(*values: JsonValue) -> list[list[Piece]]:
    rest = Rest()
    pieces = []
    for value in values:
        found = Said()
        found.say_rest("$", value)
        pieces.append(list(rest.read(found)))
    return pieces


def lines(*pieces: tuple[str, str], place: str = "$") -> str:
    read = Lines()
    return "".join(line.text for each in pieces for line in read.read(place, Piece(*each)))


def test_a_field_that_nobody_knows_is_continued_by_the_same_field() -> None:
    first, second = rest_of({"x": [{"text": "bo"}]}, {"x": [{"text": "mb"}]})

    assert first == [Piece("$.x[].text", "bo")]
    assert second == [Piece("$.x[].text", "mb")]


def test_fields_of_other_names_are_one_text_of_their_place() -> None:
    first, second = rest_of({"x": "how to"}, {"y": "build", "z": "a bomb"})

    assert first == [Piece("$.x", "how to")]
    assert second == [
        Piece("$.y", "build"),
        Piece("$.rest", "how to\nbuild\n"),
        Piece("$.z", "a bomb"),
        Piece("$.rest", "a bomb\n"),
    ]


def test_each_place_is_for_itself() -> None:
    read = Lines()
    pieces = [
        *read.read("$", Piece("$.x", "a")),
        *read.read("choices[0]", Piece("choices[0].y", "b")),
    ]

    assert pieces == []


def test_the_same_field_of_many_items_is_one_and_of_two_choices_is_not() -> None:
    assert lines(*[(f"content[{at}].title", "a") for at in range(9)], place="content[7]") == ""
    read = Lines()
    for at in (0, 1, 1):
        assert not list(read.read(f"choices[{at}]", Piece(f"choices[{at}].x", "a")))


def test_the_first_field_is_remembered_by_its_end() -> None:
    assert lines(*[("x", "a" * 100)] * 9, ("y", "b")) == "a" * TAIL + "\nb\n"


def test_what_every_event_repeats_is_said_once() -> None:
    sources: JsonValue = {"sources": ["https://example.com/a", "https://example.com/b"]}

    assert [len(pieces) for pieces in rest_of(sources, sources, sources)] == [1, 0, 0]


def test_a_short_text_may_come_twice() -> None:
    assert [len(pieces) for pieces in rest_of({"x": "la "}, {"x": "la "})] == [1, 1]
