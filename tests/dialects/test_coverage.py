"""The coverage table is true, and knows every field that the vendors' packages know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from zlib import crc32

import mistralai.client.models as mistral
import pytest
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from anthropic.types.beta import (
    BetaMessage,
    BetaMessageTokensCount,
    BetaRawMessageStreamEvent,
)
from anthropic.types.beta.message_count_tokens_params import (
    MessageCountTokensParams as BetaMessageCountTokensParams,
)
from anthropic.types.beta.message_create_params import (
    MessageCreateParamsStreaming as BetaMessageCreateParams,
)
from anthropic.types.message_count_tokens_params import MessageCountTokensParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from ollama import ChatResponse, GenerateResponse
from ollama._types import ChatRequest, GenerateRequest
from openai.types import Completion, CreateEmbeddingResponse, EmbeddingCreateParams
from openai.types.beta import BetaCompactedResponse, BetaResponse, BetaResponseStreamEvent
from openai.types.beta.response_compact_params import (
    ResponseCompactParams as BetaResponseCompactParams,
)
from openai.types.beta.response_create_params import (
    ResponseCreateParamsStreaming as BetaResponseCreateParams,
)
from openai.types.beta.responses.input_token_count_params import (
    InputTokenCountParams as BetaInputTokenCountParams,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.completion_create_params import (
    CompletionCreateParamsNonStreaming as LegacyParams,
)
from openai.types.responses import (
    CompactedResponse,
    Response,
    ResponseStreamEvent,
)
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.input_token_count_response import InputTokenCountResponse
from openai.types.responses.response_compact_params import ResponseCompactParams
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import BaseModel

from guardproxy.dialects.base import Answered
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.coverage import (
    Form,
    Row,
    Side,
    Treatment,
    body_with,
    coverage,
    treated,
    treatment,
)
from guardproxy.dialects.coverage_forms import CHAT, FORMS
from guardproxy.dialects.routes import GUARDED
from guardproxy.policy.config import Limits
from tests.dialects.published_types import OPEN_KEY, Place, places


def data_of(event: type[BaseModel]) -> object:
    """What Mistral's types of an event call its data."""
    return event.model_fields["data"].annotation


TYPES: Mapping[tuple[str, Side], tuple[object, ...]] = {
    ("chat_completions", Side.REQUEST): (
        CompletionCreateParamsNonStreaming,
        CompletionCreateParamsStreaming,
        mistral.ChatCompletionRequest,
        mistral.AgentsCompletionRequest,
    ),
    ("chat_completions", Side.ANSWER): (ChatCompletion, mistral.ChatCompletionResponse),
    ("chat_completions", Side.EVENT): (ChatCompletionChunk, data_of(mistral.CompletionEvent)),
    ("completions", Side.REQUEST): (LegacyParams,),
    ("completions", Side.ANSWER): (Completion,),
    ("completions", Side.EVENT): (Completion,),
    ("fim_completions", Side.REQUEST): (mistral.FIMCompletionRequest,),
    ("fim_completions", Side.ANSWER): (mistral.FIMCompletionResponse,),
    ("fim_completions", Side.EVENT): (data_of(mistral.CompletionEvent),),
    ("embeddings", Side.REQUEST): (EmbeddingCreateParams, mistral.EmbeddingRequest),
    ("embeddings", Side.ANSWER): (CreateEmbeddingResponse, mistral.EmbeddingResponse),
    ("responses", Side.REQUEST): (
        ResponseCreateParamsStreaming,
        InputTokenCountParams,
        ResponseCompactParams,
        BetaResponseCreateParams,
        BetaInputTokenCountParams,
        BetaResponseCompactParams,
    ),
    ("responses", Side.ANSWER): (
        Response,
        InputTokenCountResponse,
        CompactedResponse,
        BetaResponse,
        BetaCompactedResponse,
    ),
    ("responses", Side.EVENT): (ResponseStreamEvent, BetaResponseStreamEvent),
    ("messages", Side.REQUEST): (
        MessageCreateParamsStreaming,
        MessageCountTokensParams,
        BetaMessageCreateParams,
        BetaMessageCountTokensParams,
    ),
    ("messages", Side.ANSWER): (Message, MessageTokensCount, BetaMessage, BetaMessageTokensCount),
    ("messages", Side.EVENT): (RawMessageStreamEvent, BetaRawMessageStreamEvent),
    ("conversations", Side.REQUEST): (
        mistral.ConversationRequest,
        mistral.ConversationRestartRequest,
    ),
    ("conversations", Side.ANSWER): (mistral.ConversationResponse,),
    ("conversations", Side.EVENT): (data_of(mistral.ConversationEvents),),
    ("conversation_append", Side.REQUEST): (mistral.ConversationAppendRequest,),
    ("ollama_chat", Side.REQUEST): (ChatRequest,),
    ("ollama_chat", Side.ANSWER): (ChatResponse,),
    ("ollama_chat", Side.EVENT): (ChatResponse,),
    ("ollama_generate", Side.REQUEST): (GenerateRequest,),
    ("ollama_generate", Side.ANSWER): (GenerateResponse,),
    ("ollama_generate", Side.EVENT): (GenerateResponse,),
}
"""The published types of each dialect's bodies."""
OTHERWISE = {
    ("ollama_chat", Side.REQUEST, "messages[].*"): "a message without a role, which is refused",
}
"""Places that are treated in another way than their row says, because the body is not valid."""
SIDES = [(form, side) for form in FORMS.values() for side in form.fields]
_TOKEN = re.compile(r"\*\*\.|\*|\[\]|\[[^\]]+\]|\([^)]*\)|\.|[^.*\[\]()]+")
_KIND = r"(?:\([^)]*\))?"
_ANY = {"**.": r"(?:.+\.)?", "*": ".+", "[]": rf"\[[^\]]*\]{_KIND}", ".": r"\."}


@cache
def rows_of(name: str) -> dict[tuple[Side, str], Row]:
    return {(row.side, row.field): row for row in coverage(FORMS[name])}


@cache
def pattern(field: str) -> re.Pattern[str]:
    """The paths a row speaks about; what it does not say about types may be any."""
    steps = (_ANY.get(step) or re.escape(step) + _KIND for step in _TOKEN.findall(field))
    return re.compile(rf"(?:\([^)]*\)\.)?{''.join(steps)}")


def row_of(name: str, side: Side, path: str) -> Row:
    """The row that speaks about a path: the most exact of those that fit."""
    rows = [row for (of, field), row in rows_of(name).items() if of is side]
    fitting = [row for row in rows if pattern(row.field).fullmatch(path)]
    return max(fitting, key=lambda row: exactness(row.field, path))


def exactness(field: str, path: str) -> tuple[bool, int, int]:
    return field == path, len(field.partition("*")[0]), len(field.replace("*", ""))


@cache
def found_in(name: str, side: Side) -> tuple[Place, ...]:
    """Every place in the types of a body, once."""
    every = (place for kind in TYPES[name, side] for place in spread(places(kind)))
    return tuple({place.path: place for place in every}.values())


def spread(found: Iterable[Place]) -> Iterator[Place]:
    """Six events hold a whole response: each place of it is looked at in one of them."""
    every = [(place, *place.path.partition(").response")) for place in found]
    kinds = sorted({kind for _, kind, middle, _ in every if middle})
    for place, kind, middle, rest in every:
        if not middle or kinds.index(kind) == crc32(rest.encode()) % len(kinds):
            yield place


def test_every_guarded_dialect_and_each_of_its_directions_has_a_table_and_types() -> None:
    assert FORMS.keys() == {dialect.name for dialect in GUARDED.values()}
    assert TYPES.keys() == {(name, side) for name, form in FORMS.items() for side in form.fields}


@pytest.mark.parametrize(
    ("name", "side", "known"),
    [
        ("chat_completions", Side.REQUEST, "messages[].content[image_url].image_url.url"),
        ("chat_completions", Side.REQUEST, "tools[function].function.parameters.*"),
        ("chat_completions", Side.ANSWER, "choices[].message.tool_calls[function].id"),
        ("chat_completions", Side.EVENT, "choices[].delta.content"),
        ("completions", Side.REQUEST, "prompt[]"),
        ("embeddings", Side.REQUEST, "input[]"),
        ("responses", Side.REQUEST, "input[message].content[input_text].text"),
        ("responses", Side.EVENT, "(response.output_text.delta).delta"),
        ("messages", Side.REQUEST, "messages[].content[document].source(text).data"),
        ("messages", Side.EVENT, "(content_block_delta).delta(text_delta).text"),
        ("conversations", Side.REQUEST, "inputs[function.result].result"),
        ("conversations", Side.EVENT, "(message.output.delta).content"),
        ("ollama_chat", Side.ANSWER, "message.thinking"),
    ],
)
def test_the_walk_finds_what_everybody_knows(name: str, side: Side, known: str) -> None:
    assert known in {place.path for place in found_in(name, side)}


@pytest.mark.parametrize(("name", "side"), TYPES)
def test_every_published_field_is_treated_as_the_table_says(name: str, side: Side) -> None:
    dialect = FORMS[name].dialect
    wrong = []
    for place in found_in(name, side):
        row, seen = row_of(name, side, place.path), treated(dialect, side, place.body)
        if seen is not row.treatment and (name, side, place.path) not in OTHERWISE:
            wrong.append(f"{place.path} is {seen}, but {row.field} is {row.treatment}")

    assert not wrong


@pytest.mark.parametrize(("name", "side"), TYPES)
def test_every_key_that_the_types_leave_open_is_judged(name: str, side: Side) -> None:
    dialect = FORMS[name].dialect
    unread = []
    for place in found_in(name, side):
        if place.path.endswith(".*") and (name, side, place.path) not in OTHERWISE:
            seen = treated(dialect, side, partial(with_key, place.body("x")))
            if seen not in (Treatment.JUDGED, Treatment.STRUCTURE):
                unread.append(f"{place.path} is {seen}")

    assert not unread


def with_key(body: object, key: str) -> object:
    """A body with another key in place of the one that stands for all."""
    if isinstance(body, dict):
        return {key if name == OPEN_KEY else name: with_key(body[name], key) for name in body}
    return [with_key(each, key) for each in body] if isinstance(body, list) else body


@pytest.mark.parametrize("name", FORMS)
def test_no_string_passes_unread(name: str) -> None:
    rows = rows_of(name).values()

    assert not [row.field for row in rows if row.treatment is Treatment.PASSED]


@pytest.mark.parametrize(("form", "side"), SIDES)
def test_a_field_stands_once_and_what_nobody_knows_is_judged(form: Form, side: Side) -> None:
    fields = form.fields[side]

    assert len(fields) == len(set(fields))
    assert row_of(form.dialect.name, side, "what_nobody_knows").treatment is Treatment.JUDGED


@pytest.mark.parametrize(
    ("name", "side", "field", "expected"),
    [
        ("chat_completions", Side.REQUEST, "messages[].content", Treatment.JUDGED),
        ("chat_completions", Side.REQUEST, "model", Treatment.STRUCTURE),
        ("chat_completions", Side.REQUEST, "messages[].role", Treatment.CHECKED),
        ("chat_completions", Side.REQUEST, "chat_template", Treatment.REFUSED),
        ("chat_completions", Side.REQUEST, "guardrails[].*", Treatment.POLICY),
        ("chat_completions", Side.EVENT, "choices[].delta.audio.data", Treatment.MEDIUM),
        ("fim_completions", Side.REQUEST, "guardrails[].*", Treatment.REFUSED),
        ("embeddings", Side.ANSWER, "data[].embedding", Treatment.SEALED),
        ("responses", Side.REQUEST, "previous_response_id", Treatment.STORED),
        ("responses", Side.REQUEST, "prompt.variables.*", Treatment.JUDGED),
        ("messages", Side.ANSWER, "content[thinking].signature", Treatment.SEALED),
        ("messages", Side.REQUEST, "messages[].content[image].source(base64).data",
         Treatment.MEDIUM),
        ("ollama_chat", Side.EVENT, "message.content", Treatment.JUDGED),
    ],
)  # fmt: skip
def test_treatments_are_told_apart(name: str, side: Side, field: str, expected: Treatment) -> None:
    assert treatment(FORMS[name], side, field) is expected


def test_what_a_dialect_does_not_hand_out_is_called_passed() -> None:
    class Deaf(ChatCompletions):
        """Hears nothing."""

        def read_answer(self, body: bytes, limits: Limits) -> Answered:
            del body
            return super().read_answer(b"{}", limits)

    deaf = replace(CHAT, dialect=Deaf())

    assert treatment(deaf, Side.ANSWER, "choices[].text") is Treatment.PASSED


def test_a_body_holds_the_field_and_what_must_stand_around_it() -> None:
    body = body_with(CHAT, Side.REQUEST, "messages[].content[image_url].image_url.url", "x")

    assert body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
        ],
    }
