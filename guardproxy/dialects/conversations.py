"""Mistral's conversations: started, continued, restarted; whole, and as a stream of named events.

Source: Mistral's OpenAPI schemas `ConversationResponse` and `ConversationEvents`. A stream that is
blocked ends in the API's own `conversation.response.error`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

from guardproxy.dialects import chat_fields, conversation_request, openai_shape
from guardproxy.dialects.answer_reader import DONE, read_whole, value_of
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Refusal
from guardproxy.dialects.chat_said import Said, read_function, read_text
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import is_token, left_over
from guardproxy.dialects.order import Order, number_of
from guardproxy.dialects.request_values import object_of, refuse_guardrails
from guardproxy.dialects.rest import Rest
from guardproxy.dialects.seams import Seams, is_shown
from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.errors import StreamError, UpstreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Verdict

_ERROR = "conversation.response.error"
_LAST = ("conversation.response.done", _ERROR)
_NAMES = frozenset(_LAST) | {
    "conversation.response.started", "message.output.delta", "function.call.delta",
    "tool.execution.started", "tool.execution.delta", "tool.execution.done",
    "agent.handoff.started", "agent.handoff.done",
}  # fmt: skip
_STRUCTURE = re.compile(
    chat_fields.ANSWER_STRUCTURE.pattern + r"|conversation_id|agent_id|previous_agent_id"
    r"|next_agent_id|created_at|completed_at|confirmation_status"
)
_CALLED = frozenset({"name", "arguments"})
_FIELDS = named(
    "type", "id", "output_index", "content_index", "tool_call_id", *_CALLED,
    content=named("type", *chat_fields.PART_TEXT_KEYS),
)  # fmt: skip
_GIVEN = ("info", "result")
"""What a tool returned."""
_FAILED_CODE = 502


class Conversations:
    """Starts and restarts; fits `Dialect`."""

    name = "conversations"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return conversation_request.read_request(body, limits)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(body, limits, _said)

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> ConversationStream:
        return ConversationStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return openai_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return openai_shape.error_body(fault)


class ConversationAppend(Conversations):
    """Adds to a conversation: only what is new stands in the body, and no guardrails may."""

    name = "conversation_append"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        refuse_guardrails(object_of(body, limits))
        return super().read_request(body, limits)


class ConversationStream:
    """Reads one stream of named events; fits `StreamReader`."""

    keep_alive = openai_shape.KEEP_ALIVE

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frame = Frame()
        self._rest = Rest()
        self._seams = Seams()
        self._order = Order()
        self._created_at: dict[str, JsonValue] = {}

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = Said(_STRUCTURE)
        known = event.event in _NAMES
        said.pieces += self._frame.read(dataclasses.replace(event, event="") if known else event)
        data = event.data
        if data is None or data.strip() == DONE:
            return EventRead(tuple(said.pieces), last=data is not None)
        value = value_of(data, self._limits, said)
        check_spelling(value, _FIELDS)
        last = event.event in _LAST
        if isinstance(value, dict):
            self._remember(value)
            last |= value.get("type") in _LAST
            place = f"$.outputs[{self._index(value)}]"
            _read_entry(value, place, said)
            self._follow(value, place, said)
        else:
            said.say_rest("$", value)
        pieces = tuple(self._seams.read(self._rest.read(said)))
        return EventRead(pieces, tuple(said.media), last=last)

    def _follow(self, value: dict[str, JsonValue], place: str, said: Said) -> None:
        """Sees to it that outputs, and chunks in them, are said one after the other."""
        chunk = number_of(value.get("content_index")) or 0
        for channel in {piece.channel for piece in said.pieces if is_shown(piece.channel)}:
            self._order.follow(f"{channel}[{chunk}]", value.get("id"))
        if value.get("arguments"):
            self._order.stay(f"{place}.arguments", value.get("tool_call_id"))

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        del finished  # the error ends all outputs
        summary = guardrail_body.block_summary(verdict)
        return self._error(
            guardrail_body.BLOCKED_MESSAGE, openai_shape.BLOCKED_STATUS, guardrails=summary
        )

    def failed(self, message: str) -> bytes:
        return self._error(message, _FAILED_CODE)

    def _error(self, message: str, code: int, **more: object) -> bytes:
        error = {"type": _ERROR, **self._created_at, "message": message, "code": code, **more}
        return openai_shape.event(error, _ERROR)

    def _remember(self, value: dict[str, JsonValue]) -> None:
        """The time that our own last event gives; this room has no clock."""
        created_at = value.get("created_at")
        if isinstance(created_at, str) and is_token(created_at):
            self._created_at = {"created_at": created_at}

    def _index(self, value: dict[str, JsonValue]) -> int:
        index = value.get("output_index", 0)
        if isinstance(index, bool) or not isinstance(index, int):
            raise StreamError("an event of the stream has an index that is no number")
        if not 0 <= index < self._limits.messages:
            raise StreamError("an event of the stream has an index that cannot be")
        return index


def _said(value: JsonValue) -> Said:
    said = Said(_STRUCTURE)
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return said
    outputs = value.get("outputs")
    if not isinstance(outputs, list | None):
        raise UpstreamError("the outputs of the answer are not a list")
    for index, entry in enumerate(outputs or ()):
        if isinstance(entry, dict):
            _read_entry(entry, f"outputs[{index}]", said)
        else:
            read_text(entry, f"outputs[{index}]", said)
    said.say_rest("$", left_over(value, {"outputs"}))
    return said


def _read_entry(entry: dict[str, JsonValue], place: str, said: Said) -> None:
    """What one entry or one event says; an event continues the channels of its output."""
    read_text(entry.get("content"), f"{place}.content", said)
    if called := {key: entry[key] for key in sorted(_CALLED & entry.keys())}:
        read_function(called, place, said)
    for field in _GIVEN:
        said.say_numbers(f"{place}.{field}", entry.get(field))
    said.say_rest(place, left_over(entry, {"content", *_CALLED}))
