"""Numbers that may be somebody's: judged where tools are called, described or answered."""

from __future__ import annotations

import json

import pytest

from guardproxy.dialects.base import Dialect
from guardproxy.dialects.routes import GUARDED
from tests.dialects.bodies import Json
from tests.dialects.recorded import answer_texts, event_texts, recorded, request_texts

BY_NAME = {dialect.name: dialect for dialect in GUARDED.values()}
CARD = 4556737586899855
GIVEN: Json = {"card": CARD, "few": 123456, "tel": 4915123456789.0, "on": True}
FOUND: Json = {"card": CARD, "tel": 4915123456789}
SCHEMA: Json = {
    "type": "object",
    "properties": {"card": {"enum": [CARD], "default": 1, "maximum": 2**53}},
}
USER: Json = {"role": "user", "content": "hi"}


def chat(**more: Json) -> Json:
    return {"model": "m", "messages": [USER], **more}


def chat_call(**more: Json) -> Json:
    return {"id": "c", "type": "function", "function": {"name": "pay", "arguments": GIVEN}, **more}


def block(kind: str, **more: Json) -> Json:
    return {"type": kind, "id": "a", "tool_use_id": "a", "name": "pay", **more}


REQUESTS: dict[str, tuple[str, Json]] = {
    "chat, arguments": (
        "chat_completions",
        {"messages": [USER, {"role": "assistant", "tool_calls": [chat_call()]}]},
    ),
    "chat, a part that a tool returns": (
        "chat_completions",
        {"messages": [{"role": "tool", "content": [{"type": "json", "json": GIVEN}]}]},
    ),
    "messages, input": (
        "messages",
        {"messages": [{"role": "assistant", "content": [block("tool_use", input=GIVEN)]}]},
    ),
    "messages, result": (
        "messages",
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": [
                        block("code_execution_tool_result", content={"type": "x", "data": GIVEN})
                    ],
                }
            ]
        },
    ),
    "responses, arguments": (
        "responses",
        {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": GIVEN}]},
    ),
    "responses, output": (
        "responses",
        {"input": [{"type": "function_call_output", "call_id": "c", "output": GIVEN}]},
    ),
    "responses, results": (
        "responses",
        {"input": [{"type": "file_search_call", "id": "c", "results": [{"attributes": GIVEN}]}]},
    ),
    "conversations, arguments": (
        "conversations",
        {"inputs": [{"type": "function.call", "name": "pay", "arguments": GIVEN}]},
    ),
    "conversations, result": (
        "conversations",
        {"inputs": [{"type": "function.result", "tool_call_id": "c", "result": GIVEN}]},
    ),
    "conversations, info": (
        "conversations",
        {"inputs": [{"type": "tool.execution", "name": "web_search", "info": GIVEN}]},
    ),
    "ollama, arguments": ("ollama_chat", {"messages": [{"role": "assistant", "tool_calls": [
        {"function": {"name": "pay", "arguments": GIVEN}}]}]}),
}  # fmt: skip

SCHEMAS: dict[str, tuple[str, Json]] = {
    "chat": (
        "chat_completions",
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]),
    ),
    "chat, format": (
        "chat_completions",
        chat(response_format={"type": "json_schema", "json_schema": {"schema": SCHEMA}}),
    ),
    "messages": (
        "messages",
        {"messages": [USER], "tools": [{"name": "f", "input_schema": SCHEMA}]},
    ),
    "responses": (
        "responses",
        {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
    ),
    "ollama": ("ollama_chat", {"messages": [USER], "format": SCHEMA}),
}

ANSWERS: dict[str, tuple[str, Json]] = {
    "chat": (
        "chat_completions",
        {"choices": [{"index": 0, "message": {"tool_calls": [chat_call()]}}]},
    ),
    "messages, input": ("messages", {"content": [block("tool_use", input=GIVEN)]}),
    "messages, result": (
        "messages",
        {"content": [block("web_fetch_tool_result", content={"type": "x", "data": GIVEN})]},
    ),
    "responses, arguments": (
        "responses",
        {"output": [{"type": "function_call", "name": "pay", "arguments": GIVEN}]},
    ),
    "responses, results": (
        "responses",
        {"output": [{"type": "file_search_call", "results": [{"attributes": GIVEN}]}]},
    ),
    "conversations, arguments": (
        "conversations",
        {"outputs": [{"type": "function.call", "name": "pay", "arguments": GIVEN}]},
    ),
    "conversations, info": (
        "conversations",
        {"outputs": [{"type": "tool.execution", "name": "web_search", "info": GIVEN}]},
    ),
    "ollama": (
        "ollama_chat",
        {"message": {"tool_calls": [{"function": {"name": "pay", "arguments": GIVEN}}]}},
    ),
}

EVENTS: dict[str, tuple[str, Json]] = {
    "chat": (
        "chat_completions",
        {"choices": [{"index": 0, "delta": {"tool_calls": [chat_call(index=0)]}}]},
    ),
    "messages": (
        "messages",
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": block("tool_use", input=GIVEN),
        },
    ),
    "responses": (
        "responses",
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "file_search_call", "results": [{"attributes": GIVEN}]},
        },
    ),
    "conversations": (
        "conversations",
        {"type": "function.call.delta", "output_index": 0, "name": "pay", "arguments": GIVEN},
    ),
    "ollama": ("ollama_chat", ANSWERS["ollama"][1]),
}


def numbers(texts: list[str] | None) -> list[Json]:
    """What is judged as JSON: every text that holds a long number, read again."""
    assert texts is not None
    found = [
        json.loads(text) for text in texts if text.startswith(("{", "[")) and str(CARD) in text
    ]
    assert found
    return found


def has(value: Json, part: Json) -> bool:
    if isinstance(value, dict):
        return value == part or any(has(member, part) for member in value.values())
    return isinstance(value, list) and any(has(item, part) for item in value)


@pytest.mark.parametrize(("name", "body"), REQUESTS.values(), ids=REQUESTS)
def test_m12_numbers_in_arguments_and_results_are_judged(name: str, body: Json) -> None:
    assert has(numbers(request_texts(BY_NAME[name], body)), FOUND)


@pytest.mark.parametrize(("name", "body"), SCHEMAS.values(), ids=SCHEMAS)
def test_m13_numbers_in_schemas_are_judged(name: str, body: Json) -> None:
    assert has(numbers(request_texts(BY_NAME[name], body)), {"enum": [CARD]})


@pytest.mark.parametrize(("name", "body"), ANSWERS.values(), ids=ANSWERS)
def test_numbers_that_an_answer_hands_to_tools_are_judged(name: str, body: Json) -> None:
    assert has(numbers(answer_texts(BY_NAME[name], body)), FOUND)


@pytest.mark.parametrize(("name", "event"), EVENTS.values(), ids=EVENTS)
def test_numbers_in_streams_are_judged(name: str, event: Json) -> None:
    assert has(numbers(event_texts(BY_NAME[name], event)), FOUND)


@pytest.mark.parametrize("dialect", BY_NAME.values(), ids=BY_NAME)
def test_times_and_counts_are_structure(dialect: Dialect) -> None:
    for body in recorded(dialect).answers.values():
        texts = answer_texts(dialect, body)
        if isinstance(body, dict):
            beside = {**body, "created": 1767225600, "usage": {"total_tokens": 12345678}}
            assert answer_texts(dialect, beside) == texts, json.dumps(body)
