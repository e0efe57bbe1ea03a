"""`POST /v1/embeddings`: the input is judged; vectors are no text, whatever stands beside them is.

An answer may hold half a million numbers. They are cut out of the copy that is read, so that
reading it costs no more than a pass over its bytes; the bytes that leave are those that came.
"""

from __future__ import annotations

import re

from guardproxy.content import Role
from guardproxy.dialects import chat_fields
from guardproxy.dialects.answer_reader import read_whole
from guardproxy.dialects.base import Answered, Asked
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.leaves import left_over
from guardproxy.dialects.request_reader import RequestReader
from guardproxy.dialects.request_values import (
    object_of,
    refuse_unread,
    text_inputs,
)
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

_KNOWN = chat_fields.REQUEST_KNOWN | {"input"}
_STRUCTURE = re.compile(r"model|user|encoding_format|output_dtype")
# The quote before a key is never escaped, so this finds no text that only looks like a vector. It
# begins with plain letters, because those are searched ten times faster.
_VECTOR = re.compile(
    rb'("embedding"(?<!\\"embedding")[ \t\r\n]*:[ \t\r\n]*)\[[-+.0-9eE, \t\r\n]*\]'
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)


class Embeddings(ChatCompletions):
    """Fits `Dialect`; an answer that is a stream after all is read as chat completions'."""

    name = "embeddings"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        value = object_of(body, limits, _KNOWN)
        refuse_unread(value, chat_fields.REQUEST_REFUSED)
        reader = RequestReader(limits)
        for path, text in text_inputs(value, "input", limits.messages):
            reader.say(Role.USER, text, path)
        rest = left_over(value, {"input", "guardrails"})
        reader.rest(rest, Role.UNKNOWN, "$", structure=_STRUCTURE)
        return reader.asked(value, body, stream=False)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(_VECTOR.sub(rb"\1[]", body), limits, _said)


def _said(value: JsonValue) -> Said:
    said = Said()
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return said
    data = value.get("data")
    entries = data if isinstance(data, list) else [data]
    said.say_rest("data", [_without_vector(entry) for entry in entries])
    said.say_rest("$", left_over(value, {"data"}))
    return said


def _without_vector(entry: JsonValue) -> JsonValue:
    """An entry without its vector in base64, which the `openai` client asks for."""
    if not isinstance(entry, dict):
        return entry
    vector = entry.get("embedding")
    coded = isinstance(vector, str) and _BASE64.fullmatch(vector)
    return left_over(entry, {"embedding"}) if coded else entry
