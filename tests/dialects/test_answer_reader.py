"""What all readers of answers share."""

from __future__ import annotations

import pytest

from guardproxy.dialects.answer_reader import read_whole, texts_of, value_of
from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said
from guardproxy.errors import StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

LIMITS = Limits()


def everything(value: JsonValue) -> Said:
    said = Said()
    said.say_rest("$", value)
    return said


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"", []),
        (b" \r\n", []),
        (b"plain words", ["plain words"]),
        (b'{"a": "one", "b": ["two"]}', ["one\ntwo"]),
        (b'["one"]', ["one"]),
        (b'"one"', ["one"]),
    ],
)
def test_a_whole_answer_is_json_or_plain_text(body: bytes, texts: list[str]) -> None:
    assert [part.text for part in read_whole(body, LIMITS, everything).texts] == texts


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b"{", b"\xff\xfe", b'{"a": NaN}'])
def test_what_two_readers_may_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError) as error:
        read_whole(body, LIMITS, everything)

    assert error.value.status == 502


def test_one_channel_is_one_text_and_decoded_if_it_hides_something() -> None:
    said = Said()
    for channel, text in (("a", r'{"q": "\u0062'), ("b", "between"), ("a", 'omb"}')):
        said.say(channel, text)
    said.rest += [("$", Piece("$.x", "one")), ("$", Piece("$.y", "two"))]

    assert [(part.path, part.text) for part in texts_of(said)] == [
        ("a", r'{"q": "\u0062omb"}'),
        ("a", "q\nbomb"),
        ("b", "between"),
        ("$", "one\ntwo"),
    ]


def test_s17_data_is_json_or_said_as_it_stands() -> None:
    said = Said()

    assert value_of(' {"a": 1}', LIMITS, said) == {"a": 1}
    assert said.pieces == []
    assert value_of("plain words", LIMITS, said) is None
    assert said.pieces == [Piece("raw", "plain words\n"), Piece("raw.joined", "plain words")]


def test_s17_a_word_that_goes_on_in_the_next_event_is_read_as_one() -> None:
    said = Said()
    for data in ("this is forbid", "den, and so on"):
        value_of(data, LIMITS, said)

    assert any("forbidden" in part.text for part in texts_of(said))


@pytest.mark.parametrize("data", ["{", '{"a": 1, "a": 2}'])
def test_s21_data_that_cannot_be_read_safely_ends_the_stream(data: str) -> None:
    with pytest.raises(StreamError):
        value_of(data, LIMITS, Said())
