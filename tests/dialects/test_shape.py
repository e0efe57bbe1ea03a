"""Strings that are no text are so only where a shape says it, and while they look the part."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind
from guardproxy.dialects.shape import NO_SHAPE, Shape, ShapedSaid, contents
from guardproxy.strict_json import JsonValue
from tests.dialects.bodies import CANARY, SONGS

SHAPE = Shape(re.compile("id"), sealed=re.compile("signature"), media=re.compile("url"))
LONG = "QUJD" * 80


@pytest.mark.parametrize("field", ["id", "signature", "url", "other"])
@given(song=st.sampled_from(SONGS))
def test_a_sentence_is_text_wherever_it_stands(field: str, song: str) -> None:
    assert contents({field: song}, SHAPE).text == song


@pytest.mark.parametrize(
    ("field", "text"),
    [("id", "msg_01"), ("signature", LONG), ("url", "https://example.com/a.png")],
)
def test_what_looks_the_part_is_no_text_there_and_text_elsewhere(field: str, text: str) -> None:
    assert contents({field: text}, SHAPE).text == ""
    assert contents({"deeper": {field: text}}, SHAPE).text == text


def test_a_key_is_text_unless_it_is_an_identifier() -> None:
    assert contents({CANARY: 1, "id": "x"}, SHAPE).text == CANARY


def test_a_coded_url_is_a_medium_wherever_it_stands() -> None:
    url = f"data:image/png;base64,{LONG}"
    found = contents({"other": url, "url": url}, SHAPE)

    assert found.texts == (("other", url),)
    assert [kind for kind, _ in found.media] == [MediaKind.IMAGE, MediaKind.IMAGE]


def test_a_clue_makes_a_medium_of_what_stays_a_text() -> None:
    value: JsonValue = {"blob": {"media_type": "audio/wav", "data": LONG}}

    assert contents(value, NO_SHAPE).media == ((MediaKind.AUDIO, len(LONG)),)
    assert LONG in contents(value, NO_SHAPE).text
    assert contents({"images": [LONG], "url": LONG}, SHAPE).media == (
        (None, len(LONG)), (MediaKind.IMAGE, len(LONG)),
    )  # fmt: skip
    assert contents({"media_type": "audio/wav", "signature": LONG}, SHAPE).media == ()


def test_an_address_counts_where_a_model_reads() -> None:
    value: JsonValue = {"file_url": "https://example.com/a.pdf"}

    assert contents(value, NO_SHAPE, addresses=True).media == ((MediaKind.FILE, 25),)
    assert contents(value, NO_SHAPE).media == ()


def test_a_medium_is_for_the_dialect_to_name() -> None:
    assert contents({"url": LONG}, SHAPE).media == ((None, len(LONG)),)


def test_a_short_word_in_an_answer_is_text_although_a_medium_may_stand_there() -> None:
    said = ShapedSaid(shape=SHAPE)
    said.say_rest("$", {"url": "kill", "id": "x"})

    assert [piece.text for _, piece in said.rest] == ["kill"]
    assert said.media == []


def test_a_medium_in_an_answer_is_of_the_kind_the_dialect_names_or_a_file() -> None:
    said = ShapedSaid(shape=SHAPE)
    said.say_rest("$", {"url": LONG}, kind=MediaKind.IMAGE)
    said.say_rest("$", {"a": f"data:audio/wav;base64,{LONG}"}, kind=MediaKind.IMAGE)

    assert [part.kind for part in said.media] == [MediaKind.IMAGE, MediaKind.FILE]


def test_arguments_are_said_with_keys_and_as_their_reader_reads_them() -> None:
    said = ShapedSaid()
    said.say_all("call", {"q": '{"deep": "\\u0062omb"}'})

    assert said.pieces[0].text == 'q\n{"deep": "\\u0062omb"}'
    assert said.pieces[1].text == "deep\nbomb"
