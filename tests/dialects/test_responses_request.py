"""Requests of OpenAI's Responses: what is text, for the policy, or stored elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import Asked
from guardproxy.dialects.responses import Responses
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, recorded

RESPONSES = Responses()
RECORDED = recorded(RESPONSES)


def read(body: Json, limits: Limits = LIMITS) -> Asked:
    return RESPONSES.read_request(json.dumps(body).encode(), limits)


def said(body: Json) -> dict[str, tuple[Role, str]]:
    return {part.path: (part.role, part.text) for part in read(body).texts}


def media(body: Json) -> list[tuple[MediaKind, str]]:
    return [(part.kind, part.path) for part in read(body).media]


def refused(**body: Json) -> tuple[str, str | None]:
    with pytest.raises(RequestError) as caught:
        read({"model": "m", "input": "Hi", **body})
    return caught.value.code, caught.value.param


def test_a_plain_request() -> None:
    assert said(RECORDED.requests["plain"]) == {
        "instructions": (Role.SYSTEM, "You are a weather service."),
        "input": (Role.USER, "What is the weather in Bern?"),
        "$": (Role.UNKNOWN, "weather"),
    }


def test_items_are_judged_by_who_said_them() -> None:
    found = said(RECORDED.requests["items"])

    assert found["input[0].content"] == (Role.DEVELOPER, "Be brief.")
    assert found["input[1].content[0]"] == (Role.USER, "What is the weather in Bern?")
    assert found["input[2]"] == (Role.ASSISTANT, "The user asks about Bern.\nA tool knows.")
    assert found["input[3].arguments"] == (Role.ASSISTANT, '{"place": "Bern"}')
    assert found["input[4].output"] == (Role.TOOL, "21 degrees")
    assert found["input[5].input"] == (Role.ASSISTANT, "print 21")
    assert found["input[6].output[0]"] == (Role.TOOL, "21")
    assert found["input[7].content[1].refusal"] == (Role.ASSISTANT, "Not more.")
    assert "A report" in found["text.format"][1]
    assert found["tools[2]"][0] is Role.DEFINITION


def test_every_tool_is_judged() -> None:
    found = said(RECORDED.requests["tools"])
    texts = "\n".join(text for _, text in found.values())

    for text in (
        "It will be windy.", "report.txt", "weather Bern", "Take care", "print(21)", "twenty one",
        "echo\nsunny", "TOWN", "date", "Sunday\na warning", "-rain\n+sun", "done well",
        "Tells the future", "More sun", "It is safe", "Found late", "Given late", "And now?",
    ):  # fmt: skip
        assert text in texts
    assert found["input[5].outputs"][0] is Role.TOOL
    assert found["input[12].tools"][0] is Role.TOOL
    assert found["input[17].tools[0]"][0] is Role.DEFINITION
    assert "gAAAA" not in texts


def test_images_are_images() -> None:
    assert media(RECORDED.requests["items"]) == [
        (MediaKind.IMAGE, "input[1].content[1]"),
        (MediaKind.IMAGE, "input[1].content[2]"),
        (MediaKind.IMAGE, "input[6].output[1]"),
    ]
    assert media(RECORDED.requests["tools"]) == [
        (MediaKind.IMAGE, "input[3].output"),
        (MediaKind.IMAGE, "input[4]"),
        (MediaKind.IMAGE, "input[5].outputs"),
    ]


def test_what_the_model_reads_elsewhere_is_for_the_policy() -> None:
    assert media(RECORDED.requests["elsewhere"]) == [
        (MediaKind.FILE, "tools[0]"),
        (MediaKind.FILE, "tools[1]"),
        (MediaKind.FILE, "tools[2]"),
        (MediaKind.FILE, "input[0].content[0]"),
        (MediaKind.FILE, "input[0].content[1]"),
        (MediaKind.AUDIO, "input[0].content[2]"),
    ]


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
def test_tools_that_an_item_loads_may_read_elsewhere(kind: str) -> None:
    tools: Json = [{"type": "mcp", "server_label": "x", "server_url": "https://example.com/mcp"}]

    assert media({"input": [{"type": kind, "tools": tools}]}) == [
        (MediaKind.FILE, "input[0].tools[0]")
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "conv_1"}}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"previous_response_id": None, "prompt": None}, None),
        (RECORDED.requests["plain"], None),
    ],
)
def test_a_reference_to_stored_text_is_told(body: Json, path: str | None) -> None:
    assert read(body).stored == path


def test_what_is_filled_into_a_stored_prompt_is_judged() -> None:
    body = RECORDED.requests["stored"]

    assert "Bern" in said(body)["prompt.variables"][1]
    assert media(body) == [(MediaKind.FILE, "prompt.variables")]


def test_an_embedded_image_in_a_tool_is_an_image() -> None:
    tool = {
        "type": "image_generation",
        "input_image_mask": {"image_url": "data:image/png;base64,QUJD"},
    }
    assert media({"input": "Hi", "tools": [tool]}) == [(MediaKind.IMAGE, "tools[0]")]


def test_json_in_arguments_is_judged_as_its_reader_reads_it() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":"\\u0062omb"}'}

    assert "a\nbomb" in [part.text for part in read({"input": [item]}).texts]


def test_instructions_may_be_items() -> None:
    body = {"input": "Hi", "instructions": [{"role": "developer", "content": "Be brief."}]}

    assert said(body)["instructions[0].content"] == (Role.DEVELOPER, "Be brief.")


def test_what_is_malformed_or_answered_elsewhere_is_refused_by_its_place() -> None:
    assert refused(stream="yes") == ("invalid_type", "stream")
    assert refused(background=True) == ("unsupported_field", "background")
    assert refused(background=1) == ("invalid_type", "background")
    assert refused(prompt_token_ids=[1]) == ("unsupported_field", "prompt_token_ids")
    assert refused(input=5) == ("invalid_type", "input")
    assert refused(input=[5]) == ("invalid_item", "input[0]")
    assert refused(input=[{"role": "robot", "content": "x"}]) == ("unknown_role", "input[0].role")
    assert refused(tools="x") == ("invalid_type", "tools")
    assert read({"input": "Hi", "background": False}).texts


def test_more_items_than_the_policy_allows_are_refused() -> None:
    items = [{"role": "user", "content": "Hi"}] * 3

    read({"input": items}, Limits(messages=3))
    with pytest.raises(RequestError) as caught:
        read({"input": items}, Limits(messages=2))
    assert caught.value.code == "too_many_input"


def test_what_agents_tell_each_other_is_content() -> None:
    sealed = base64.b64encode(hashlib.sha512(b"noise").digest() * 8).decode()
    coded = base64.b64encode(b"how to build it, in words that anybody can read" * 8).decode()
    parts: Json = [
        {"type": "input_text", "text": "The tests pass."},
        {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
        {"type": "encrypted_content", "encrypted_content": sealed},
        {"type": "encrypted_content", "encrypted_content": coded, "note": "beside"},
    ]
    item: dict[str, Json] = {"type": "agent_message", "author": "/root", "recipient": "/root/b"}
    body: dict[str, Json] = {"input": [{**item, "content": parts}]}

    assert media(body) == [(MediaKind.IMAGE, "input[0].content[1]")]
    assert said(body) == {
        "input[0].content[0]": (Role.ASSISTANT, "The tests pass."),
        "input[0].content[3]": (Role.ASSISTANT, f"{coded}\nbeside"),
        "input[0]": (Role.ASSISTANT, "/root\n/root/b"),
    }


def test_what_a_program_gives_is_text_and_no_medium() -> None:
    item = {"type": "program_output", "call_id": "call_1", "result": "jailbreaking"}

    assert said({"model": "m", "input": [item]}) == {"input[0]": (Role.TOOL, "jailbreaking")}
    assert media({"model": "m", "input": [item]}) == []
