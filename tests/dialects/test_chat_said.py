"""What a choice says: which channel gets which text."""

from __future__ import annotations

import pytest

from guardproxy.content import MediaKind
from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said, continued, read_choice
from guardproxy.strict_json import JsonValue


def said(delta: JsonValue, **choice: JsonValue) -> Said:
    found = Said()
    read_choice({"index": 0, "delta": delta, **choice}, 0, found)
    return found


def channels(delta: JsonValue, **choice: JsonValue) -> dict[str, str]:
    """Channel, without its choice, -> what it got."""
    found = said(delta, **choice)
    pieces = (*found.pieces, *(piece for _, piece in found.rest))
    return {piece.channel.removeprefix("choices[0]."): piece.text for piece in pieces}


@pytest.mark.parametrize("name", ["content", "refusal", "reasoning_content", "reasoning"])
def test_s7_s8_a_known_text_has_its_own_channel(name: str) -> None:
    assert channels({name: "data: Sunny", "role": "assistant"}) == {name: "data: Sunny"}


def test_s7_chunks_of_a_list_are_one_text_without_separator() -> None:
    thinking: JsonValue = {"type": "thinking", "thinking": [{"type": "text", "text": "So "}]}
    chunks: list[JsonValue] = [thinking, {"type": "text", "text": "it"}, "is", 3, None]

    assert channels({"content": chunks}) == {"content": "So itis"}


def test_a_chunk_that_holds_a_picture_is_a_picture_and_its_other_text_is_read() -> None:
    picture: JsonValue = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}}
    found = said({"content": [{"type": "text", "text": "See", "alt": "a sun"}, picture]})

    assert found.pieces == [
        Piece("choices[0].content", "See"), Piece("choices[0].content.beside", "a sun"),
    ]  # fmt: skip
    assert [medium.kind for medium in found.media] == [MediaKind.IMAGE]


def test_a_reference_between_two_chunks_parts_no_word() -> None:
    reference: JsonValue = {"type": "tool_reference", "title": "A page", "url": "https://a.example"}
    chunks: list[JsonValue] = [
        {"type": "text", "text": "kil"}, reference, {"type": "text", "text": "ling"},
    ]  # fmt: skip

    assert channels({"content": chunks}) == {
        "content": "killing", "content.beside": "A page\nhttps://a.example",
    }  # fmt: skip


def test_a_data_url_as_text_is_text() -> None:
    chunk: JsonValue = {"type": "text", "text": "data:image/png;base64,Kill_them_all"}
    found = said({"content": [chunk]})

    assert found.pieces == [Piece("choices[0].content", "data:image/png;base64,Kill_them_all")]
    assert found.media == []


def test_s9_arguments_go_by_the_index_of_their_call() -> None:
    calls: JsonValue = [
        {
            "index": 3,
            "id": "call_1",
            "type": "function",
            "function": {"name": "f", "arguments": "{"},
        },
        {"function": {"arguments": {"place": "Paris"}}},
        {"index": True, "custom": {"name": "g", "input": "date"}},
    ]

    assert channels({"tool_calls": calls}) == {
        "tool_calls[3].function.name": "f",
        "tool_calls[3].function.arguments": "{",
        "tool_calls[1].function.arguments": "place\nParis",
        "tool_calls[2].custom.name": "g",
        "tool_calls[2].custom.input": "date",
    }


@pytest.mark.parametrize(
    "delta",
    [
        "a bomb",
        ["a bomb"],
        {"role": "a bomb"},
        {"content": {"x": "a bomb"}},
        {"content": [["a bomb"]]},
        {"tool_calls": "a bomb"},
        {"tool_calls": {"0": {"function": {"arguments": "a bomb"}}}},
        {"tool_calls": ["a bomb"]},
        {"tool_calls": [{"function": "a bomb"}]},
        {"tool_calls": [{"function": {"arguments": ["a bomb"]}}]},
        {"tool_calls": [{"function": {"parameters": "a bomb"}}]},
        {"tool_calls": [{"id": "a bomb"}]},
        {"function_call": "a bomb"},
        {"function_call": {"name": "a bomb"}},
        {"audio": "a bomb"},
        {"audio": {"transcript": ["a bomb"]}},
        {"audio": {"data": "a bomb"}},
        {"audio": {"id": "a bomb"}},
        {"annotations": [{"url_citation": {"title": "a bomb"}}]},
        {"a bomb": None},
    ],
)
def test_s7_text_in_any_other_form_is_said_as_well(delta: JsonValue) -> None:
    assert "a bomb" in "\n".join(channels(delta).values())


def test_s7_a_message_and_a_legacy_text_are_read_like_a_delta() -> None:
    found = Said()
    read_choice({"message": {"content": "Sun"}, "text": "ny"}, 1, found)

    assert found.pieces == [Piece("choices[1].content", "Sun"), Piece("choices[1].text", "ny")]


def test_media_in_fields_that_nobody_knows_are_media() -> None:
    sound: JsonValue = {"mimeType": "audio/wav", "data": "QUJD" * 80}
    link: JsonValue = {"image_url": "https://example.com/a.png"}
    found = said(
        {"content": "See", "inline_data": sound, "sources": [link], "signature": "x" * 400}
    )

    assert [part.kind for part in found.media] == [MediaKind.AUDIO]


def test_sound_is_a_medium_and_its_transcript_a_text() -> None:
    found = said({"audio": {"id": "a1", "data": "UklGRg==", "transcript": "Sunny"}})

    assert found.pieces == [Piece("choices[0].audio.transcript", "Sunny")]
    assert [(medium.kind, medium.size) for medium in found.media] == [(MediaKind.AUDIO, 8)]
    assert said({"audio": {"data": ""}}).media == []


def test_log_probabilities_are_said_where_they_say_more() -> None:
    tokens: JsonValue = {"content": [{"token": "a bomb"}]}

    assert channels({"content": "Sunny"}, logprobs=tokens)["logprobs.content"] == "a bomb"
    assert channels({"content": "a bomb"}, logprobs=tokens) == {"content": "a bomb"}


def test_structure_says_nothing() -> None:
    delta: JsonValue = {"role": "assistant", "content": "", "refusal": None, "tool_calls": []}
    filters: JsonValue = {"hate": {"filtered": False, "severity": "safe"}}

    assert channels(delta, finish_reason="stop", content_filter_results=filters) == {}


def rest_of(*values: JsonValue) -> list[list[Piece]]:
    before: dict[str, str] = {}
    pieces = []
    for value in values:
        found = Said()
        found.say_rest("$", value)
        pieces.append(list(continued(found, before)))
    return pieces


def test_a_field_that_nobody_knows_is_continued_by_the_same_field() -> None:
    first, second = rest_of({"x": [{"text": "bo", "note": "n"}]}, {"x": [{"text": "mb"}]})

    assert first == [Piece("$.x[].text", "bo"), Piece("$.x[].note", "n")]
    assert second == [Piece("$.x[].text", "mb")]


def test_what_every_event_repeats_is_said_once() -> None:
    sources: JsonValue = {"sources": ["https://example.com/a", "https://example.com/b"]}

    assert [len(pieces) for pieces in rest_of(sources, sources, sources)] == [1, 0, 0]


def test_a_short_text_may_come_twice() -> None:
    assert [len(pieces) for pieces in rest_of({"x": "la "}, {"x": "la "})] == [1, 1]
