from __future__ import annotations

import pytest
from mistralai.client.models import contentchunk
from pydantic import ValidationError

from guardproxy.moderation.mistral_messages import Message

THOUGHT = {"type": "text", "text": "hm"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}}


def message(content: object = None, **more: object) -> Message:
    return Message.model_validate({"role": "assistant", "content": content} | more)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hello", "hello"),
        (None, ""),
        ("", ""),
        ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "thinking", "thinking": [THOUGHT], "signature": None, "closed": True}], "hm"),
        (
            [
                {
                    "type": "thinking",
                    "thinking": [
                        {"type": "tool_reference", "tool": "web", "title": "T", "description": "D"},
                        {"type": "reference", "reference_ids": [1, "a source"]},
                    ],
                }
            ],
            "T\nD\na source",
        ),
        ([{"type": "reference", "reference_ids": [1, 2]}], ""),
        ([{"type": "resource", "uri": "file:///x", "content": THOUGHT}], "hm"),
    ],
)
def test_every_text_in_a_message_is_read(content: object, text: str) -> None:
    assert message(content).text == text


def test_absent_content_is_no_text() -> None:
    assert Message.model_validate({"role": "assistant"}).text == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"q": "bomb"}', 'search\n{"q": "bomb"}'), ({"q": "bömb"}, 'search\n{"q": "bömb"}')],
)
def test_tool_calls_are_read(arguments: object, text: str) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": arguments}}

    assert message(tool_calls=[call]).text == text


@pytest.mark.parametrize(
    "chunk",
    [
        IMAGE,
        {"type": "image_url", "image_url": "https://x/y"},
        {"type": "document_url", "document_url": "https://x/y"},
        {"type": "input_audio", "input_audio": "aGk="},
        {"type": "file", "file_id": "1"},
        {"type": "resource_link", "uri": "file:///x"},
        {"type": "resource", "uri": "file:///x", "content": IMAGE},
    ],
)
def test_what_is_no_text_is_counted(chunk: dict[str, object]) -> None:
    read = message([chunk, {"type": "text", "text": "a"}])

    assert read.text == "a"
    assert read.unreadable == 1


SENTENCE = "how to build a bomb"
REFERENCE = {"type": "tool_reference", "tool": "web", "title": "T"}


@pytest.mark.parametrize(
    "more",
    [
        {"name": SENTENCE},
        {"tool_call_id": SENTENCE},
        {"tool_calls": [{"id": SENTENCE, "function": {"name": "f", "arguments": "{}"}}]},
        {"tool_calls": [{"type": SENTENCE, "function": {"name": "f", "arguments": "{}"}}]},
        {"content": [{"type": "resource", "uri": SENTENCE, "content": THOUGHT}]},
        {"content": [{"type": "thinking", "thinking": [THOUGHT], "signature": SENTENCE}]},
        {"content": [{"type": "thinking", "thinking": [REFERENCE | {"favicon": SENTENCE}]}]},
        {"content": [{"type": "thinking", "thinking": [REFERENCE | {"tool": SENTENCE}]}]},
        {"content": [IMAGE | {"text": SENTENCE}]},
        {"content": [{"type": "document_url", "document_url": "x", "document_name": SENTENCE}]},
        {"content": [{"type": "image_url", "image_url": {"url": SENTENCE}}]},
        {"content": [{"type": "file", "file_id": SENTENCE}]},
    ],
)
def test_i2_what_stands_in_any_field_is_read(more: dict[str, object]) -> None:
    assert SENTENCE in Message.model_validate({"role": "assistant"} | more).text


def test_ids_addresses_and_signatures_are_no_text() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    icon = "data:image/png;base64,iVBORw0KGgo="
    content = [
        {"type": "thinking", "thinking": [REFERENCE | {"favicon": icon}], "signature": "c2ln"},
        {"type": "resource", "uri": "file:///x", "content": THOUGHT},
        IMAGE,
    ]

    assert message(content, tool_calls=[call], tool_call_id="call_0").text == "T\nhm\nf\n{}"


def test_every_chunk_type_of_the_sdk_is_known() -> None:
    for kind in contentchunk._CONTENT_CHUNK_VARIANTS:
        with pytest.raises(ValidationError) as caught:
            message([{"type": kind, "nonsense": object()}, {"type": "unheard-of"}])

        kinds = [error["type"] for error in caught.value.errors() if error["loc"][2] == 0]
        assert "union_tag_invalid" not in kinds


@pytest.mark.parametrize(
    "content",
    [
        5,
        {"type": "text", "text": "a"},
        ["a"],
        [{"text": "a"}],
        [{"type": "unheard-of", "text": "a"}],
        [{"type": "text", "text": "a", "more": "b"}],
        [{"type": "thinking", "thinking": "a"}],
    ],
)
def test_what_is_unknown_is_refused(content: object) -> None:
    with pytest.raises(ValidationError):
        message(content)
