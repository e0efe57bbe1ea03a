"""Reads the body of `POST /v1/chat/completions`: OpenAI's shape, Mistral's and common extras."""

from __future__ import annotations

from collections.abc import Mapping

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields as fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.leaves import left_over, text_leaves
from guardproxy.dialects.request_reader import RequestReader, size_of
from guardproxy.dialects.request_values import (
    check_case,
    choices_of,
    count_of,
    object_of,
    odd_biases,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue

_ROLES = {
    role.value: role
    for role in (
        Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL, Role.FUNCTION,
    )
}  # fmt: skip
_ROLE_AND_CONTENT = frozenset({"role", "content"})
_COUNTS = ("max_tokens", "max_completion_tokens", "top_logprobs")
_READ_APART = frozenset(
    {"messages", "tools", "functions", "response_format", "prediction", "guardrails", "logit_bias"}
)
_KNOWN = fields.REQUEST_KNOWN.union(_READ_APART, _COUNTS, {"n"})
_MESSAGE = fields.MESSAGE_KNOWN | {"tool_call_id"}


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = object_of(body, limits, _KNOWN)
    refuse_unread(value, fields.REQUEST_REFUSED)
    for field in _COUNTS:
        count_of(value, field)
    choices_of(value, "n", limits)
    reader = _ChatReader(limits)
    reader.read(value)
    return reader.asked(value, body, stream=switch_of(value, "stream") is True)


class _ChatReader(RequestReader):
    """Collects what a request says, in the order of the conversation."""

    def read(self, body: Mapping[str, JsonValue]) -> None:
        for field in ("tools", "functions"):
            self.definitions(body.get(field), field)
        self.answer_format(body.get("response_format"), "response_format")
        messages = self.listed(body.get("messages"), "messages", self.limits.messages)
        if not messages:
            raise RequestError("must not be empty", code="empty_messages", param="messages")
        for index, message in enumerate(messages):
            self._message(message, f"messages[{index}]")
        self.prediction(body.get("prediction"), "prediction")
        self.rest(odd_biases(body.get("logit_bias")), Role.UNKNOWN, "logit_bias")
        rest = left_over(body, _READ_APART)
        self.rest(rest, Role.UNKNOWN, "$", structure=fields.REQUEST_STRUCTURE)

    def _message(self, message: JsonValue, path: str) -> None:
        if not isinstance(message, dict):
            raise RequestError("must be an object", code="invalid_message", param=path)
        check_case(message, _MESSAGE, path)
        role = role_of(message.get("role"), _ROLES, path)
        self.content(message.get("content"), role, f"{path}.content")
        if message.keys() <= _ROLE_AND_CONTENT:
            return
        for field in ("name", "refusal", "reasoning_content", "reasoning"):
            if (value := message.get(field)) is not None:
                self.chunks(text_leaves(value), role, f"{path}.{field}")
        self._calls(message, role, path)
        self._audio(message.get("audio"), role, f"{path}.audio")
        rest = left_over(message, fields.MESSAGE_KNOWN)
        self.rest(rest, role, path, structure=fields.MESSAGE_STRUCTURE)

    def _audio(self, audio: JsonValue, role: Role, path: str) -> None:
        """An earlier answer's sound, by its id: nothing that can be read here."""
        if audio is not None:
            self.media.append(MediaPart(role, MediaKind.AUDIO, path, size_of(audio)))
            self.rest(audio, role, path, structure=fields.AUDIO_STRUCTURE)

    def _calls(self, message: Mapping[str, JsonValue], role: Role, path: str) -> None:
        calls = message.get("tool_calls")
        if calls is not None:
            for index, call in enumerate(self.listed(calls, f"{path}.tool_calls", None)):
                self._call(call, role, f"{path}.tool_calls[{index}]")
        self.called(message.get("function_call"), role, f"{path}.function_call")

    def _call(self, call: JsonValue, role: Role, path: str) -> None:
        if not isinstance(call, dict):
            raise RequestError("must be an object", code="invalid_tool_call", param=path)
        check_case(call, fields.CALL_KNOWN, path)
        for field in ("function", "custom"):
            self.called(call.get(field), role, f"{path}.{field}")
        rest = left_over(call, {"function", "custom"})
        self.rest(rest, role, path, structure=fields.MESSAGE_STRUCTURE)
