"""Requests of Anthropic's Messages: what is text, and what is for the policy."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.messages import Messages
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, recorded

MESSAGES = Messages()
RECORDED = recorded(MESSAGES)


def asked(**body: Json) -> dict[str, tuple[Role, str]]:
    """Path -> who says what."""
    whole = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}], **body}
    read = MESSAGES.read_request(json.dumps(whole).encode(), LIMITS)
    return {part.path: (part.role, part.text) for part in read.texts}


def media(*blocks: Json, **body: Json) -> list[tuple[MediaKind, str]]:
    messages = [{"role": "user", "content": list(blocks)}]
    whole = {"model": "m", "messages": messages, **body}
    read = MESSAGES.read_request(json.dumps(whole).encode(), LIMITS)
    return [(part.kind, part.path) for part in read.media]


def refused(**body: Json) -> tuple[str, str | None]:
    with pytest.raises(RequestError) as caught:
        asked(**body)
    return caught.value.code, caught.value.param


def test_the_whole_conversation_is_judged_by_role() -> None:
    said = asked(**RECORDED.requests["tools"])

    assert said["system[0].text"] == (Role.SYSTEM, "Be brief.")
    assert said["messages[0].content[0].text"] == (Role.USER, "What is the weather in Bern?")
    assert said["messages[1].content[0].thinking"][1] == "The user asks about Bern."
    assert said["messages[1].content[5].input"] == (Role.ASSISTANT, "place\nBern")
    assert said["messages[2].content[0].content[0].text"] == (Role.TOOL, "21 degrees")
    assert said["messages[2].content[0].content[1].content[0].text"] == (Role.TOOL, "Sunny")
    assert said["messages[2].content[1].content"] == (Role.TOOL, "Sunny")
    assert said["tools[0]"][0] is Role.DEFINITION
    assert "The weather at a place." in said["tools[0]"][1]


def test_what_only_the_upstream_can_open_is_not_judged() -> None:
    said = asked(**RECORDED.requests["tools"])

    assert not [text for _, text in said.values() if "EqQB" in text]


def test_documents_are_text_where_they_are_text_and_media_where_they_are_not() -> None:
    said = asked(**RECORDED.requests["documents"])
    read = MESSAGES.read_request(json.dumps(RECORDED.requests["documents"]).encode(), LIMITS)
    found = [(part.kind, part.path) for part in read.media]

    assert said["messages[0].content[0].source"][1] == "It will be sunny."
    assert said["messages[0].content[0]"][1] == "A report\nWritten by hand"
    assert said["messages[0].content[1].source.content[0].text"][1] == "It will be windy."
    assert found == [
        (MediaKind.FILE, "messages[0].content[2].source"),
        (MediaKind.FILE, "messages[0].content[3].source"),
        (MediaKind.FILE, "messages[0].content[4].source"),
        (MediaKind.IMAGE, "messages[0].content[5].source"),
        (MediaKind.IMAGE, "messages[0].content[6].source"),
        (MediaKind.FILE, "messages[0].content[7]"),
    ]


def test_what_the_model_reads_elsewhere_is_for_the_policy() -> None:
    read = MESSAGES.read_request(json.dumps(RECORDED.requests["elsewhere"]).encode(), LIMITS)

    assert [part.path for part in read.media] == ["container", "mcp_servers"]
    assert {part.kind for part in read.media} == {MediaKind.FILE}


def test_a_thread_that_the_upstream_keeps_is_stored_text() -> None:
    messages: Json = [{"role": "user", "content": "go on"}]

    def stored(thread: Json) -> str | None:
        body = {"messages": messages, "thread": thread}
        return MESSAGES.read_request(json.dumps(body).encode(), LIMITS).stored

    place = "thread.previous_message_id"
    assert stored({"type": "continue", "previous_message_id": "msg_01"}) == place
    assert stored("msg_01") == place
    assert stored({"type": "create"}) is None
    assert stored(None) is None


SCHEMA: Json = {"properties": {"a_key_that_says": {"type": "integer", "default": 4111111111111111}}}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "output_config"),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output_format"),
    ],
)
def test_keys_and_numbers_of_an_answers_schema_are_judged(body: dict[str, Json], path: str) -> None:
    messages = [{"role": "user", "content": "hello"}]
    read = MESSAGES.read_request(json.dumps({**body, "messages": messages}).encode(), LIMITS)
    said = "\n".join(part.text for part in read.texts if part.path.startswith(path))

    assert "a_key_that_says" in said
    assert "4111111111111111" in said


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_addition", "tool": {"definition": {"name": "t", "input_schema": SCHEMA}}},
        {"type": "compaction", "tool_changes": [{"tool": {"definition": SCHEMA}}]},
        {"type": "mcp_tool_listing", "tools": [{"name": "t", "input_schema": SCHEMA}]},
    ],
)
def test_a_tool_that_a_message_brings_is_judged_like_others(block: dict[str, Json]) -> None:
    said = "\n".join(
        text for _, text in asked(messages=[{"role": "user", "content": [block]}]).values()
    )

    assert "a_key_that_says" in said


def test_a_tool_that_a_message_brings_may_read_elsewhere() -> None:
    tool: Json = {"definition": {"type": "x", "server_url": "https://example.com/mcp"}}

    found = media({"type": "tool_addition", "tool": tool})

    assert (MediaKind.FILE, "messages[0].content[0].*.tool") in found


@pytest.mark.parametrize(
    "source",
    [
        {"type": "base64", "media_type": "image/svg+xml", "data": "QUJD"},
        {"type": "base64", "media_type": "text/html", "data": "QUJD"},
        {"type": "url", "url": "data:text/html;base64,QUJD"},
    ],
)
def test_an_image_that_is_none_is_a_file(source: Json) -> None:
    assert media({"type": "image", "source": source}) == [
        (MediaKind.FILE, "messages[0].content[0].source")
    ]


def test_text_in_the_place_of_a_medium_is_judged() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "how to build it"}
    messages = [{"role": "user", "content": [{"type": "image", "source": source}]}]

    said = asked(messages=messages)

    assert said["messages[0].content[0].source"][1] == "how to build it"


def test_a_block_nobody_knows_is_judged_and_its_medium_is_a_file() -> None:
    block = {"type": "hologram", "caption": "Look", "at": "https://example.com/x"}

    assert media(block) == [(MediaKind.FILE, "messages[0].content[0]")]
    said = asked(messages=[{"role": "user", "content": [block]}])
    assert said["messages[0].content[0].*"][1] == "Look\nhttps://example.com/x"


def test_a_resource_with_its_text_is_no_file() -> None:
    resource: Json = {"uri": "https://example.com/a.md", "text": "It is sunny."}
    result: Json = {"type": "tool_result", "content": [{"type": "resource", "resource": resource}]}

    assert media({"type": "resource", "resource": resource}) == []
    assert media(result) == []
    assert media({"type": "resource", "resource": {"uri": "https://example.com/a.md"}})


def test_a_tool_with_files_is_for_the_policy_and_a_property_of_that_name_is_not() -> None:
    files = {"type": "code_execution", "name": "c", "file_ids": ["file_1"]}
    schema = {"type": "object", "properties": {"file_ids": {"type": "array"}}}

    assert media({"type": "text", "text": "Hi"}, tools=[files]) == [(MediaKind.FILE, "tools[0]")]
    assert media({"type": "text", "text": "Hi"}, tools=[{"input_schema": schema}]) == []


def test_odd_forms_are_judged_as_text() -> None:
    blocks = ["plain", {"type": "text", "text": ["in", "a list"]}, {"type": "x", "source": "book"}]
    said = asked(messages=[{"role": "user", "content": blocks}], tools=None)

    assert said["messages[0].content[0]"][1] == "plain"
    assert said["messages[0].content[1].text"][1] == "ina list"
    assert said["messages[0].content[1].text.."][1] == "in\na list"
    assert said["messages[0].content[2].*.source"][1] == "book"


def test_a_result_may_be_one_block() -> None:
    ran = {"type": "code_execution_result", "stdout": "21", "stderr": "", "content": []}
    block = {"type": "code_execution_tool_result", "tool_use_id": "s", "content": ran}
    said = asked(messages=[{"role": "assistant", "content": [block]}])

    assert said["messages[0].content[0].content"] == (Role.TOOL, "21")


def test_json_in_a_tools_arguments_is_judged_as_its_reader_reads_it() -> None:
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"q": '{"a": "\\u0062omb"}'}}
    whole = {"model": "m", "messages": [{"role": "assistant", "content": [block]}]}
    read = MESSAGES.read_request(json.dumps(whole).encode(), LIMITS)

    assert "a\nbomb" in [part.text for part in read.texts]


def test_what_is_malformed_is_refused_by_its_place() -> None:
    user = {"role": "user"}

    assert refused(messages=[]) == ("empty_messages", "messages")
    assert refused(messages="Hi") == ("invalid_type", "messages")
    assert refused(messages=["Hi"]) == ("invalid_message", "messages[0]")
    assert refused(messages=[{"role": "tool", "content": ""}]) == (
        "unknown_role",
        "messages[0].role",
    )
    assert refused(messages=[user]) == ("invalid_content", "messages[0].content")
    assert refused(messages=[{**user, "content": [{"text": "x"}]}]) == (
        "invalid_content",
        "messages[0].content[0]",
    )
    assert refused(stream="true") == ("invalid_type", "stream")
    assert refused(prompt_token_ids=[1]) == ("unsupported_field", "prompt_token_ids")


def test_more_blocks_than_the_policy_allows_are_refused() -> None:
    blocks = [{"type": "text", "text": "Hi"}] * 3
    body = {"model": "m", "messages": [{"role": "user", "content": blocks}]}

    MESSAGES.read_request(json.dumps(body).encode(), Limits(parts=3))
    with pytest.raises(RequestError) as caught:
        MESSAGES.read_request(json.dumps(body).encode(), Limits(parts=2))
    assert caught.value.code == "too_many_parts"


def test_a_system_message_may_have_settings_in_place_of_content() -> None:
    said = asked(
        messages=[
            {"role": "user", "content": "Hi"},
            {"role": "system", "output_config": {"effort": "low"}, "clear_at": "what is this"},
        ]
    )

    assert said["messages[1]"] == (Role.SYSTEM, "what is this")
