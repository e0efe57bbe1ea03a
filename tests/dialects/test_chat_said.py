"""What a choice says: which channel gets which text."""

from __future__ import annotations

import pytest

from guardproxy.content import MediaKind
from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said, read_choice
from guardproxy.dialects.seams import Seams
from guardproxy.strict_json import JsonValue
from tests.dialects.samples import PICTURE


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
    text: JsonValue = {"type": "text", "text": "it"}
    more: JsonValue = {"type": "text", "text": " is"}

    assert channels({"content": [text, more, 3, None]}) == {"content": "it is"}
    assert channels({"content": ["it", [" is"], {"text": " so"}]}) == {
        "content.other": "it is", "content.other.text": " so",
    }  # fmt: skip


def test_thinking_among_chunks_is_a_text_of_its_own() -> None:
    thinking: JsonValue = {"type": "thinking", "thinking": [
        {"type": "text", "text": "S"}, {"type": "text", "text": "o."}, {"type": "x", "note": "n"},
    ]}  # fmt: skip
    chunks: list[JsonValue] = [thinking, {"type": "text", "text": "It is"}]

    assert channels({"content": chunks}) == {
        "content.thinking": "So.", "content": "It is", "content.beside": "n",
    }  # fmt: skip


@pytest.mark.parametrize(
    "filler",
    [
        {"type": "thinking", "thinking": "calm"},
        {"type": "thinking", "thinking": [{"type": "text", "text": "calm"}]},
        {"type": "thinking", "text": "calm"},
        {"type": "refusal", "refusal": "calm"},
        {"type": "blob", "text": "calm"},
        {"type": "blob", "text": {"text": "calm"}},
        {"text": "calm"},
        "calm",
    ],
)
def test_a_chunk_of_another_kind_parts_no_word(filler: JsonValue) -> None:
    first: JsonValue = {"type": "text", "text": "kil"}
    last: JsonValue = {"type": "text", "text": "ling"}
    found = said({"content": [first, filler, last, filler]})
    content = [piece.text for piece in found.pieces if piece.channel == "choices[0].content"]

    assert "".join(content) == "killing"
    assert sum("calm" in piece.text for piece in found.pieces) == 2


@pytest.mark.parametrize("key", ["summary", "refusal", "thinking", "reasoning", "note"])
def test_another_key_of_a_chunk_parts_no_word(key: str) -> None:
    chunks: list[JsonValue] = [
        {"type": "text", "text": "kil", key: "calm"}, {"type": "text", "text": "ling", key: "calm"},
    ]  # fmt: skip
    found = said({"content": chunks})
    content = [piece.text for piece in found.pieces if piece.channel == "choices[0].content"]

    assert "".join(content) == "killing"
    assert "calm" in "".join(piece.text for piece in found.pieces)


def test_what_is_said_from_chunk_to_chunk_is_read_joined_as_well() -> None:
    thinking: JsonValue = {"type": "thinking", "thinking": [{"type": "text", "text": "kil"}]}
    found = said({"content": [thinking, {"type": "text", "text": "ling"}]})

    read = [piece.text for piece in Seams().read(found.pieces) if piece.channel.endswith("seam")]
    assert read == ["\nkilling"]


def test_a_chunk_that_holds_a_picture_is_a_picture_and_its_other_text_is_read() -> None:
    picture: JsonValue = {"type": "image_url", "image_url": {"url": PICTURE}}
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
