"""Reads the bodies that start, continue and restart a conversation of Mistral's.

Source: Mistral's OpenAPI schemas `ConversationRequest`, `ConversationAppendRequest` and
`ConversationRestartRequest`. What was said before stands at Mistral, not in the body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.leaves import left_over, numbers_in, refers_to_media, text_leaves
from guardproxy.dialects.request_reader import RequestReader, size_of
from guardproxy.dialects.request_values import (
    check_case,
    object_of,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

_STRUCTURE = re.compile(
    r"model|agent_id|agent_version|from_entry_id|handoff_execution"
    r"|tool_confirmations\[\d+\]\.(?:tool_call_id|confirmation)"
)
_ARGS_STRUCTURE = re.compile(r"tool_choice|reasoning_effort")
_ENTRY_STRUCTURE = re.compile(
    r"id|object|type|role|created_at|completed_at|agent_id|model|tool_call_id"
    r"|confirmation_status|previous_agent_id|next_agent_id"
)
_READ_APART = frozenset({"inputs", "instructions", "tools", "completion_args", "guardrails"})
_ARGS_READ_APART = frozenset({"response_format", "prediction"})
_KNOWN = chat_fields.REQUEST_KNOWN | _READ_APART
_CALLED = frozenset({"name", "arguments"})
_ENTRY = _CALLED | {"type", "role", "content", "result", "info", "tool_call_id"}
_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.TOOL)}
_SPEAKERS = {
    "message.output": Role.ASSISTANT,
    "function.call": Role.ASSISTANT,
    "function.result": Role.TOOL,
    "tool.execution": Role.ASSISTANT,
    "agent.handoff": Role.ASSISTANT,
}
"""Type of an entry -> who speaks in it, where its role does not say so."""


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = object_of(body, limits, _KNOWN)
    refuse_unread(value, chat_fields.REQUEST_REFUSED)
    reader = _ConversationReader(limits)
    reader.read(value)
    return reader.asked(value, body, stream=switch_of(value, "stream") is True)


class _ConversationReader(RequestReader):
    """Collects what a request adds to a conversation."""

    def read(self, body: Mapping[str, JsonValue]) -> None:
        self.content(body.get("instructions"), Role.SYSTEM, "instructions")
        self.definitions(body.get("tools"), "tools")
        self._inputs(body.get("inputs"))
        self._arguments(body.get("completion_args"))
        rest = left_over(body, _READ_APART)
        self.rest(rest, Role.UNKNOWN, "$", structure=_STRUCTURE)

    def _inputs(self, inputs: JsonValue) -> None:
        if isinstance(inputs, str):
            self.say(Role.USER, inputs, "inputs")
        elif inputs is not None:
            for index, entry in enumerate(self.listed(inputs, "inputs", self.limits.messages)):
                self._entry(entry, f"inputs[{index}]")

    def _entry(self, entry: JsonValue, path: str) -> None:
        if not isinstance(entry, dict):
            raise RequestError("must be an object", code="invalid_entry", param=path)
        check_case(entry, _ENTRY, path)
        role = _speaker(entry, path)
        self.content(entry.get("content"), role, f"{path}.content")
        self.called({key: entry[key] for key in sorted(_CALLED & entry.keys())}, role, path)
        self.encoded(entry.get("result"), role, f"{path}.result")
        self.say(role, numbers_in(entry.get("info")), f"{path}.info")
        rest = left_over(entry, {"content", "result", *_CALLED})
        self.rest(rest, role, path, structure=_ENTRY_STRUCTURE)
        # A connector ran upstream and said where it looked: nothing there is read again.
        ran = entry.get("type") == "tool.execution"
        if refers_to_media(left_over(rest, {"info"}) if ran else rest):
            self.media.append(MediaPart(role, MediaKind.FILE, path, size_of(rest)))

    def _arguments(self, arguments: JsonValue) -> None:
        """How to complete: a schema and a prediction are read by the model, `stop` is text."""
        path = "completion_args"
        if not isinstance(arguments, dict):
            self.chunks(text_leaves(arguments), Role.UNKNOWN, path)
            return
        check_case(arguments, _ARGS_READ_APART, path)
        self.answer_format(arguments.get("response_format"), f"{path}.response_format")
        self.prediction(arguments.get("prediction"), f"{path}.prediction")
        rest = left_over(arguments, _ARGS_READ_APART)
        self.rest(rest, Role.UNKNOWN, path, structure=_ARGS_STRUCTURE)


def _speaker(entry: Mapping[str, JsonValue], path: str) -> Role:
    kind = entry.get("type")
    if entry.get("role") is not None:
        return role_of(entry["role"], _ROLES, path)
    return _SPEAKERS.get(kind, Role.UNKNOWN) if isinstance(kind, str) else Role.UNKNOWN
