"""The coverage table is true, and knows every field that the `openai` package's types know."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    EmbeddingCreateParams,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.completion_create_params import (
    CompletionCreateParamsNonStreaming as LegacyParams,
)

from guardproxy.dialects.base import Answered
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.coverage import (
    Form,
    Row,
    Side,
    Treatment,
    body_with,
    coverage,
    treatment,
)
from guardproxy.dialects.coverage_forms import CHAT, COMPLETIONS, EMBEDDINGS, FORMS
from guardproxy.policy.config import Limits
from tests.dialects.openai_types import string_paths

ROWS = {form.dialect.name: list(coverage(form)) for form in FORMS.values()}
TYPES: list[tuple[Form, Side, object]] = [
    (CHAT, Side.REQUEST, CompletionCreateParamsNonStreaming),
    (CHAT, Side.REQUEST, CompletionCreateParamsStreaming),
    (CHAT, Side.ANSWER, ChatCompletion),
    (CHAT, Side.EVENT, ChatCompletionChunk),
    (COMPLETIONS, Side.REQUEST, LegacyParams),
    (COMPLETIONS, Side.ANSWER, Completion),
    (COMPLETIONS, Side.EVENT, Completion),
    (EMBEDDINGS, Side.REQUEST, EmbeddingCreateParams),
    (EMBEDDINGS, Side.ANSWER, CreateEmbeddingResponse),
]
KNOWN = sorted(
    {(form.dialect.name, side, path) for form, side, kind in TYPES for path in string_paths(kind)}
)
SIDES = [(form, side) for form in FORMS.values() for side in form.fields]


def row_of(form: Form, side: Side, path: str) -> Row:
    """The row that speaks about a path: the most exact of those that fit."""
    rows = ROWS[form.dialect.name]
    fitting = [row for row in rows if row.side is side and fits(row.field, path)]
    return max(fitting, key=lambda row: (row.field == path, len(row.field.replace("*", ""))))


def fits(field: str, path: str) -> bool:
    return re.fullmatch(re.escape(field).replace(r"\*", ".+"), path) is not None


def test_the_walk_finds_what_everybody_knows() -> None:
    chat = {(side, path) for name, side, path in KNOWN if name == "chat_completions"}

    assert (Side.REQUEST, "messages[].content[].image_url.url") in chat
    assert (Side.REQUEST, "tools[].function.parameters.*") in chat
    assert (Side.ANSWER, "choices[].message.tool_calls[].function.arguments") in chat
    assert (Side.EVENT, "choices[].delta.content") in chat
    assert ("completions", Side.REQUEST, "prompt[]") in KNOWN
    assert ("embeddings", Side.REQUEST, "input[]") in KNOWN


@pytest.mark.parametrize(
    ("name", "side", "path"), KNOWN, ids=[f"{n} {s.name} {p}" for n, s, p in KNOWN]
)
def test_every_field_that_openai_knows_is_treated_as_the_table_says(
    name: str, side: Side, path: str
) -> None:
    row = row_of(FORMS[name], side, path)

    assert treatment(FORMS[name], side, path) is row.treatment, f"{row.field} is not {path}"


def test_no_string_passes_unread() -> None:
    rows = [row for rows in ROWS.values() for row in rows]

    assert not [row.field for row in rows if row.treatment is Treatment.PASSED]


@pytest.mark.parametrize(("form", "side"), SIDES)
def test_a_field_stands_once_and_what_nobody_knows_is_judged(form: Form, side: Side) -> None:
    fields = form.fields[side]

    assert len(fields) == len(set(fields))
    assert row_of(form, side, "what_nobody_knows").treatment is Treatment.JUDGED


@pytest.mark.parametrize(
    ("side", "field", "expected"),
    [
        (Side.REQUEST, "messages[].content", Treatment.JUDGED),
        (Side.REQUEST, "model", Treatment.STRUCTURE),
        (Side.REQUEST, "messages[].content[].input_audio.data", Treatment.MEDIUM),
        (Side.REQUEST, "messages[].role", Treatment.CHECKED),
        (Side.REQUEST, "chat_template", Treatment.REFUSED),
        (Side.ANSWER, "choices[].finish_reason", Treatment.STRUCTURE),
        (Side.EVENT, "choices[].delta.audio.transcript", Treatment.JUDGED),
    ],
)
def test_treatments_are_told_apart(side: Side, field: str, expected: Treatment) -> None:
    assert treatment(CHAT, side, field) is expected


def test_what_a_dialect_does_not_hand_out_is_called_passed() -> None:
    class Deaf(ChatCompletions):
        """Hears nothing."""

        def read_answer(self, body: bytes, limits: Limits) -> Answered:
            del body
            return super().read_answer(b"{}", limits)

    deaf = replace(CHAT, dialect=Deaf())

    assert treatment(deaf, Side.ANSWER, "choices[].text") is Treatment.PASSED


def test_a_body_holds_the_field_and_what_must_stand_around_it() -> None:
    body = body_with(CHAT, Side.REQUEST, "messages[].content[].image_url.url", "x")

    assert body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
        ],
    }
