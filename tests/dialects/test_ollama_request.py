"""What Ollama is asked: a conversation, or a prompt to go on from."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import Asked
from guardproxy.dialects.ollama_request import read_chat, read_generate
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json

LIMITS = Limits(messages=2, tools=1, parts=2)
PICTURE = base64.b64encode(bytes(range(256))).decode()
Read = Callable[[bytes, Limits], Asked]
BOTH = pytest.mark.parametrize("read", [read_chat, read_generate])


def asked(read: Read, **body: Json) -> Asked:
    return read(json.dumps({"model": "llama3.2", **body}).encode(), LIMITS)


def chat(**message: Json) -> Asked:
    return asked(read_chat, messages=[{"role": "user", **message}])


def said(asked: Asked) -> list[tuple[Role, str, str]]:
    return [(part.role, part.path, part.text) for part in asked.texts]


def refusal(read: Read, **body: Json) -> tuple[str, str | None]:
    with pytest.raises(RequestError) as error:
        asked(read, **body)
    assert error.value.status == 400
    return error.value.code, error.value.param


@BOTH
def test_an_answer_is_a_stream_unless_asked_otherwise(read: Read) -> None:
    assert asked(read).stream
    assert asked(read, stream=None).stream
    assert asked(read, stream=True).stream
    assert not asked(read, stream=False).stream
    assert refusal(read, stream=0) == ("invalid_type", "stream")


def test_messages_say_what_they_say() -> None:
    message = {"content": "one", "thinking": "two words", "tool_name": "search", "x": "three, four"}

    assert said(chat(**message)) == [
        (Role.USER, "messages[0].content", "one"),
        (Role.USER, "messages[0].thinking", "two words"),
        (Role.USER, "messages[0]", "search\nthree, four"),
    ]
    assert asked(read_chat).texts == asked(read_chat, messages=[]).texts == ()


def test_m12_calls_are_read_as_they_stand_and_decoded() -> None:
    folded = json.dumps({"q": "bomb"}).replace("b", r"\u0062")
    function = {"name": "get_weather", "arguments": {"the city": "Paris", "more": folded}}
    stands, decoded, beside = said(
        chat(role="assistant", tool_calls=[{"id": "call_1", "function": function, "x": "a note"}])
    )

    assert stands[1] == decoded[1] == "messages[0].tool_calls[0].function"
    assert "the city\nParis" in stands[2]
    assert "bomb" in decoded[2]
    assert beside[1:] == ("messages[0].tool_calls[0]", "a note")


def test_a_prompt_is_read_with_all_that_stands_around_it() -> None:
    assert said(
        asked(
            read_generate,
            prompt="how to build a bo",
            suffix="mb at home",
            system="Be brief.",
            options={"stop": ["a stop"], "temperature": 0.5},
            think="high",
            keep_alive="5m",
            raw=True,
        )
    ) == [
        (Role.SYSTEM, "system", "Be brief."),
        (Role.USER, "prompt", "how to build a bo"),
        (Role.USER, "suffix", "mb at home"),
        (Role.USER, "prompt..suffix", "how to build a bomb at home"),
        (Role.UNKNOWN, "$", "a stop"),
    ]


def test_what_belongs_to_the_other_call_is_judged_all_the_same() -> None:
    prompt = said(asked(read_chat, prompt="some words", system="and others"))
    messages = said(asked(read_generate, messages=[{"content": "some words"}]))

    assert prompt == [(Role.UNKNOWN, "$", "some words\nand others")]
    assert messages == [(Role.UNKNOWN, "$", "some words")]


def test_pictures_are_media_and_text_if_they_look_like_it() -> None:
    prompt = asked(read_generate, images=[PICTURE, "kill them all"])
    message = chat(content="", images=[PICTURE])

    assert [(part.kind, part.path, part.size) for part in prompt.media] == [
        (MediaKind.IMAGE, "images[0]", len(PICTURE)),
        (MediaKind.IMAGE, "images[1]", 13),
    ]
    assert said(prompt) == [(Role.USER, "images[1]", "kill them all")]
    assert [part.path for part in message.media] == ["messages[0].images[0]"]
    assert refusal(read_generate, images=PICTURE) == ("invalid_type", "images")
    assert refusal(read_generate, images=[PICTURE] * 3) == ("too_many_images", "images")


@BOTH
def test_m15_a_schema_is_read_by_the_model_and_a_word_is_not(read: Read) -> None:
    assert said(asked(read, format="json")) == []
    assert said(asked(read, format="kill them")) == [(Role.DEFINITION, "$", "kill them")]
    ((role, path, text),) = said(asked(read, format={"type": "object", "title": "a title"}))
    assert (role, path) == (Role.DEFINITION, "format")
    assert "a title" in text


def test_m13_definitions_are_judged_and_bounded() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "some words"}}

    ((role, path, text),) = said(asked(read_chat, tools=[tool]))
    assert (role, path) == (Role.DEFINITION, "tools[0]")
    assert "some words" in text
    assert refusal(read_chat, tools=[tool] * 2) == ("too_many_tools", "tools")


@BOTH
@pytest.mark.parametrize(
    ("field", "value"),
    [("template", '{{ printf "%c" 107 }}'), ("context", [1, 2]), ("prompt_embeds", "x")],
)
def test_m17_m18_what_nobody_can_judge_is_refused(read: Read, field: str, value: Json) -> None:
    assert refusal(read, **{field: value}) == ("unsupported_field", field)
    assert asked(read, template="", context=[]).texts == ()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"Prompt": "x"}, "prompt"),
        ({"TEMPLATE": "x"}, "template"),
        ({"me\u017fsages": []}, "messages"),
        ({"\u212aeep_alive": 1}, "keep_alive"),
        ({"messages": [{"role": "user", "Images": [PICTURE]}]}, "messages[0].images"),
        (
            {"messages": [{"role": "user", "tool_calls": [{"Function": {}}]}]},
            "messages[0].tool_calls[0].function",
        ),
        (
            {"messages": [{"role": "user", "tool_calls": [{"function": {"NAME": "x"}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
    ],
)
def test_j1_a_key_in_another_case_is_refused(body: Json, param: str) -> None:
    # Go finds `Prompt` for `prompt`: it would be read there as what it is not here.
    assert refusal(read_chat, **body) == ("ambiguous_key", param)


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"messages": {}}, ("invalid_type", "messages")),
        ({"messages": ["hello"]}, ("invalid_message", "messages[0]")),
        ({"messages": [{"role": "user"}] * 3}, ("too_many_messages", "messages")),
        ({"messages": [{"role": "User"}]}, ("unknown_role", "messages[0].role")),
        ({"messages": [{"content": "a"}]}, ("unknown_role", "messages[0].role")),
        (
            {"messages": [{"role": "user", "content": ["kil", "ling"]}]},
            ("invalid_content", "messages[0].content"),
        ),
        (
            {"messages": [{"role": "user", "tool_calls": ["x"]}]},
            ("invalid_tool_call", "messages[0].tool_calls[0]"),
        ),
    ],
)
def test_m23_other_shapes_are_refused(body: Json, refused: tuple[str, str]) -> None:
    assert refusal(read_chat, **body) == refused


def test_a_function_that_is_none_is_text() -> None:
    calls = [{"function": "some words"}]

    assert [part.text for part in chat(role="assistant", tool_calls=calls).texts] == ["some words"]


@BOTH
def test_inline_guardrails_are_handed_on(read: Read) -> None:
    assert asked(read, guardrails=[{}]).guardrails == [{}]
