"""What starts, continues and restarts a conversation."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import MediaKind, Role, TextPart
from guardproxy.dialects.base import Asked
from guardproxy.dialects.conversation_request import read_request
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json

LIMITS = Limits(messages=3, tools=1)


def asked(**body: Json) -> Asked:
    return read_request(json.dumps(body).encode(), LIMITS)


def said(**body: Json) -> list[tuple[Role, str, str]]:
    return [(part.role, part.path, part.text) for part in asked(**body).texts]


def refusal(**body: Json) -> tuple[int, str, str | None]:
    with pytest.raises(RequestError) as error:
        asked(**body)
    return error.value.status, error.value.code, error.value.param


def test_inputs_are_a_text_or_entries() -> None:
    assert asked(inputs="hello").texts == (TextPart(Role.USER, "hello", "inputs"),)
    assert asked(inputs=None).texts == ()
    assert said(
        inputs=[
            {"type": "message.input", "role": "user", "content": "one"},
            {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
            {"type": "message.output", "content": "three"},
        ]
    ) == [
        (Role.USER, "inputs[0].content", "one"),
        (Role.ASSISTANT, "inputs[1].content[0]", "two"),
        (Role.ASSISTANT, "inputs[2].content", "three"),
    ]


def test_m11_results_are_a_tools_words_also_decoded() -> None:
    folded = json.dumps({"answer": "bomb"}).replace("b", r"\u0062")
    stands, decoded = said(
        inputs=[{"type": "function.result", "tool_call_id": "c1", "result": folded}]
    )

    assert stands[:2] == decoded[:2] == (Role.TOOL, "inputs[0].result")
    assert folded in stands[2]
    assert "bomb" in decoded[2]


@pytest.mark.parametrize("arguments", ['{"q": "the words"}', {"q": "the words"}])
@pytest.mark.parametrize("kind", ["function.call", "tool.execution"])
def test_m12_calls_are_read_as_a_string_or_an_object(kind: str, arguments: Json) -> None:
    ((role, path, text),) = said(inputs=[{"type": kind, "name": "f", "arguments": arguments}])

    assert (role, path) == (Role.ASSISTANT, "inputs[0]")
    assert "the words" in text


def test_what_nobody_knows_is_judged_as_text() -> None:
    texts = said(
        inputs=[
            {"type": "no.such.entry", "id": "e1", "note": "some words"},
            {"note": "others"},
            {"type": ["x y"], "id": "two words"},
        ],
        metadata={"team": "a team"},
        model="m",
    )

    assert texts == [
        (Role.UNKNOWN, "inputs[0]", "some words"),
        (Role.UNKNOWN, "inputs[1]", "others"),
        (Role.UNKNOWN, "inputs[2]", "x y\ntwo words"),
        (Role.UNKNOWN, "$", "a team"),
    ]


def test_media_are_the_policys_business() -> None:
    picture = {"type": "image_url", "image_url": "https://example.com/cat.png"}
    paper = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
    made = {"type": "tool_file", "tool": "image_generation", "file_id": "f1"}
    parts = asked(
        inputs=[
            {"type": "message.input", "role": "user", "content": [picture, paper, made]},
            {"type": "no.such.entry", "link": "https://example.com/b.pdf"},
        ]
    ).media

    assert [(part.kind, part.path) for part in parts] == [
        (MediaKind.IMAGE, "inputs[0].content[0]"),
        (MediaKind.FILE, "inputs[0].content[1]"),
        (MediaKind.FILE, "inputs[0].content[2]"),
        (MediaKind.FILE, "inputs[1]"),
    ]


def test_where_a_connector_looked_is_no_file() -> None:
    ran = {"type": "tool.execution", "name": "web_search", "arguments": "{}"}
    looked = {**ran, "info": {"sources": ["https://example.com/paris"]}}

    assert not asked(inputs=[looked]).media
    assert asked(inputs=[{**looked, "link": "https://example.com/b.pdf"}]).media
    assert asked(inputs=[{**looked, "type": "no.such.entry"}]).media


def test_what_the_application_writes_is_told_apart() -> None:
    texts = said(
        inputs="hello",
        instructions="Be brief.",
        tools=[{"type": "web_search"}],
        completion_args={
            "stop": "a stop",
            "tool_choice": "auto",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n"}},
            "prediction": {"type": "content", "content": "expected"},
        },
    )

    assert [(role, path) for role, path, _ in texts] == [
        (Role.SYSTEM, "instructions"),
        (Role.DEFINITION, "tools[0]"),
        (Role.USER, "inputs"),
        (Role.DEFINITION, "completion_args.response_format"),
        (Role.ASSISTANT, "completion_args.prediction.content"),
        (Role.UNKNOWN, "completion_args"),
    ]
    odd = said(inputs="hello", completion_args=["words in", "a list"])
    assert [text for _, _, text in odd[1:]] == ["words ina list", "words in\na list"]


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"inputs": {}}, (400, "invalid_type", "inputs")),
        ({"inputs": ["hello"]}, (400, "invalid_entry", "inputs[0]")),
        ({"inputs": [{}] * 4}, (400, "too_many_inputs", "inputs")),
        ({"inputs": [{"role": "User"}]}, (400, "unknown_role", "inputs[0].role")),
        ({"inputs": [{"content": 1}]}, (400, "invalid_content", "inputs[0].content")),
        ({"tools": [{}] * 2}, (400, "too_many_tools", "tools")),
        ({"stream": "yes"}, (400, "invalid_type", "stream")),
        ({"prompt_embeds": "x"}, (400, "unsupported_field", "prompt_embeds")),
    ],
)
def test_other_shapes_are_refused(body: Json, refused: tuple[int, str, str]) -> None:
    assert refusal(**body) == refused
