"""Reads the bodies of Ollama's `POST /api/chat` and `POST /api/generate`.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md and api/types.go. Its server finds
the keys of an object whatever their case, so a key that is known in another case is refused: it
would be read there as what it is not here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.leaves import (
    everything_in,
    is_payload,
    left_over,
    numbers_in,
    text_of,
    unfolded,
)
from guardproxy.dialects.request_reader import RequestReader
from guardproxy.dialects.request_values import (
    check_case,
    object_of,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue, string_leaves

_ROLES = {
    role.value: role for role in (Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL)
}
_REFUSED = chat_fields.REQUEST_REFUSED - {"prompt"} | {"template", "context"}
"""`template` is a program that writes the prompt, `context` holds numbers of tokens."""
_BODY_STRUCTURE = re.compile(r"model|keep_alive|think|format")
_MESSAGE_STRUCTURE = re.compile(r"tool_call_id")
_CALL_STRUCTURE = re.compile(r"id|type")
_BODY = frozenset(
    {
        "messages", "prompt", "suffix", "system", "images", "tools", "format", "options",
        "raw", "keep_alive", "think", *_REFUSED, *chat_fields.REQUEST_KNOWN,
    }
)  # fmt: skip
_MESSAGE = frozenset(
    {
        "role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id",
    }
)  # fmt: skip
_CALL = frozenset({"id", "function"})
_FUNCTION = frozenset({"index", "name", "arguments"})
_CHAT_APART = frozenset({"messages", "tools", "format", "guardrails"})
_GENERATE_APART = frozenset({"prompt", "suffix", "system", "images", "format", "guardrails"})
_MESSAGE_APART = frozenset({"role", "content", "thinking", "images", "tool_calls"})


def read_chat(body: bytes, limits: Limits) -> Asked:
    """A conversation; see `Dialect.read_request`."""
    value = _checked(body, limits)
    reader = _OllamaReader(limits)
    reader.definitions(value.get("tools"), "tools")
    reader.held_to(value.get("format"))
    # Without messages Ollama only loads the model.
    messages = value.get("messages")
    if messages is not None:
        for index, message in enumerate(reader.listed(messages, "messages", limits.messages)):
            reader.message(message, f"messages[{index}]")
    return _asked(reader, value, body, _CHAT_APART)


def read_generate(body: bytes, limits: Limits) -> Asked:
    """A prompt to go on from; see `Dialect.read_request`."""
    value = _checked(body, limits)
    reader = _OllamaReader(limits)
    reader.held_to(value.get("format"))
    reader.text(value.get("system"), Role.SYSTEM, "system")
    reader.text(value.get("prompt"), Role.USER, "prompt")
    reader.text(value.get("suffix"), Role.USER, "suffix")
    reader.gap(value.get("prompt"), value.get("suffix"), "prompt..suffix")
    reader.images(value.get("images"), Role.USER, "images")
    return _asked(reader, value, body, _GENERATE_APART)


def _checked(body: bytes, limits: Limits) -> dict[str, JsonValue]:
    value = object_of(body, limits, _BODY)
    refuse_unread(value, _REFUSED)
    return value


def _asked(
    reader: RequestReader, value: Mapping[str, JsonValue], body: bytes, apart: Collection[str]
) -> Asked:
    rest = left_over(value, apart)
    reader.rest(rest, Role.UNKNOWN, "$", structure=_BODY_STRUCTURE)
    # Unlike everywhere else, an answer is a stream unless asked otherwise.
    return reader.asked(value, body, stream=switch_of(value, "stream") is not False)


class _OllamaReader(RequestReader):
    """Collects what a request says."""

    def message(self, message: JsonValue, path: str) -> None:
        if not isinstance(message, dict):
            raise RequestError("must be an object", code="invalid_message", param=path)
        check_case(message, _MESSAGE, path)
        role = role_of(message.get("role"), _ROLES, path)
        self.text(message.get("content"), role, f"{path}.content")
        self.rest(message.get("thinking"), role, f"{path}.thinking")
        self.images(message.get("images"), role, f"{path}.images")
        calls = message.get("tool_calls")
        if calls is not None:
            for index, call in enumerate(self.listed(calls, f"{path}.tool_calls", None)):
                self._call(call, role, f"{path}.tool_calls[{index}]")
        rest = left_over(message, _MESSAGE_APART)
        self.rest(rest, role, path, structure=_MESSAGE_STRUCTURE)

    def text(self, value: JsonValue, role: Role, path: str) -> None:
        """A text; Ollama's server takes no list of parts, so nobody knows how it would be read."""
        if not isinstance(value, str | None):
            raise RequestError("must be a string", code="invalid_content", param=path)
        self.say(role, value or "", path)

    def images(self, images: JsonValue, role: Role, path: str) -> None:
        """Pictures in base64: each is a medium, and text if it does not look like one."""
        if images is None:
            return
        for index, image in enumerate(self.listed(images, path, self.limits.parts)):
            place = f"{path}[{index}]"
            size = len(everything_in(image))
            self.media.append(MediaPart(role, MediaKind.IMAGE, place, size))
            if not (isinstance(image, str) and is_payload(image)):
                self.say(role, text_of(image), place)

    def held_to(self, schema: JsonValue) -> None:
        """`json`, or a schema that the model is held to."""
        if isinstance(schema, str):
            self.rest({"format": schema}, Role.DEFINITION, "$", structure=_BODY_STRUCTURE)
        else:
            self.answer_format(schema, "format")

    def _call(self, call: JsonValue, role: Role, path: str) -> None:
        if not isinstance(call, dict):
            raise RequestError("must be an object", code="invalid_tool_call", param=path)
        check_case(call, _CALL, path)
        function = call.get("function")
        if isinstance(function, dict):
            check_case(function, _FUNCTION, f"{path}.function")
            self.say(role, numbers_in(function.get("arguments")), f"{path}.function")
        self.say(role, everything_in(function), f"{path}.function")
        # Arguments are an object here; a string in it may be JSON again.
        inside = [unfolded(text) for _, text in string_leaves(function, keys=False)]
        self.say(role, "\n".join(filter(None, inside)), f"{path}.function")
        self.rest(left_over(call, {"function"}), role, path, structure=_CALL_STRUCTURE)
