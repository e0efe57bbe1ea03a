"""The coverage table is true, and knows every field that the `openai` package's types know."""

from __future__ import annotations

import re

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from guardproxy.dialects.base import Answered
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.coverage import (
    CHAT_FIELDS,
    Row,
    Side,
    Treatment,
    body_with,
    coverage,
    treatment,
)
from guardproxy.policy.config import Limits
from tests.dialects.openai_types import string_paths

CHAT = ChatCompletions()
ROWS = list(coverage(CHAT, CHAT_FIELDS))
TYPES: list[tuple[Side, object]] = [
    (Side.REQUEST, CompletionCreateParamsNonStreaming),
    (Side.REQUEST, CompletionCreateParamsStreaming),
    (Side.ANSWER, ChatCompletion),
    (Side.EVENT, ChatCompletionChunk),
]
KNOWN = sorted({(side, path) for side, kind in TYPES for path in string_paths(kind)})


def row_of(side: Side, path: str) -> Row:
    """The row that speaks about a path: the most exact of those that fit."""
    fitting = [row for row in ROWS if row.side is side and fits(row.field, path)]
    return max(fitting, key=lambda row: (row.field == path, len(row.field.replace("*", ""))))


def fits(field: str, path: str) -> bool:
    return re.fullmatch(re.escape(field).replace(r"\*", ".+"), path) is not None


def test_the_walk_finds_what_everybody_knows() -> None:
    assert (Side.REQUEST, "messages[].content[].image_url.url") in KNOWN
    assert (Side.REQUEST, "tools[].function.parameters.*") in KNOWN
    assert (Side.ANSWER, "choices[].message.tool_calls[].function.arguments") in KNOWN
    assert (Side.EVENT, "choices[].delta.content") in KNOWN


@pytest.mark.parametrize(("side", "path"), KNOWN, ids=[f"{s.name} {p}" for s, p in KNOWN])
def test_every_field_that_openai_knows_is_treated_as_the_table_says(side: Side, path: str) -> None:
    row = row_of(side, path)

    assert treatment(CHAT, side, path) is row.treatment, f"{row.field} does not speak for {path}"


def test_no_string_passes_unread() -> None:
    assert not [row.field for row in ROWS if row.treatment is Treatment.PASSED]


@pytest.mark.parametrize("side", Side)
def test_a_field_stands_once_and_what_nobody_knows_is_judged(side: Side) -> None:
    fields = [row.field for row in ROWS if row.side is side]

    assert len(fields) == len(set(fields))
    assert row_of(side, "what_nobody_knows").treatment is Treatment.JUDGED


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

    assert treatment(Deaf(), Side.ANSWER, "choices[].text") is Treatment.PASSED


def test_a_body_holds_the_field_and_what_must_stand_around_it() -> None:
    body = body_with(Side.REQUEST, "messages[].content[].image_url.url", "x")

    assert body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
        ],
    }
