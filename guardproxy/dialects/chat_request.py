"""Reads the body of `POST /v1/chat/completions`: OpenAI's shape, Mistral's and common extras."""

from __future__ import annotations

import re
from collections.abc import Mapping

from guardproxy.content import MediaKind, MediaPart, Role, TextPart
from guardproxy.dialects import chat_fields as fields
from guardproxy.dialects.base import Asked
from guardproxy.dialects.leaves import (
    embedded_media,
    everything_in,
    is_payload,
    left_over,
    refers_to_media,
    text_of,
    unfolded,
)
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue, read, string_leaves

_ROLES = {
    role.value: role
    for role in (
        Role.SYSTEM, Role.DEVELOPER, Role.USER, Role.ASSISTANT, Role.TOOL, Role.FUNCTION,
    )
}  # fmt: skip
_COUNTS = ("max_tokens", "max_completion_tokens", "top_logprobs")
# Drawings made of text, which a policy for images does not speak about.
_VECTORS = ("image/svg+xml", "image/svg")
_READ_APART = frozenset(
    {"messages", "tools", "functions", "response_format", "prediction", "guardrails", "logit_bias"}
)


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = read(body, depth=limits.json_depth, members=limits.json_members)
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object", code="invalid_body")
    _check_values(value, limits)
    reader = _RequestReader(limits)
    reader.read(value)
    return Asked(
        texts=tuple(reader.texts),
        media=tuple(reader.media),
        stream=value.get("stream") is True,
        guardrails=value.get("guardrails"),
        guardrails_present="guardrails" in value,
        body=body,
    )


def _check_values(body: Mapping[str, JsonValue], limits: Limits) -> None:
    for field in sorted(fields.REQUEST_REFUSED & body.keys()):
        if body[field] is None:
            continue
        raise RequestError(
            f"`{field}` is not let through: it changes what the model reads in a way "
            "that cannot be judged",
            code="unsupported_field",
            param=field,
        )
    if not isinstance(body.get("stream"), bool | None):
        raise RequestError("must be true or false", code="invalid_type", param="stream")
    for field in _COUNTS:
        _count(body, field)
    choices = _count(body, "n")
    if choices is not None and not 1 <= choices <= limits.choices:
        raise RequestError(
            f"must be between 1 and {limits.choices}", code="too_many_choices", param="n"
        )


def _count(body: Mapping[str, JsonValue], field: str) -> int | None:
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RequestError("must be a whole number, 0 or more", code="invalid_type", param=field)
    return value


class _RequestReader:
    """Collects what a request says, in the order of the conversation."""

    def __init__(self, limits: Limits) -> None:
        self.texts: list[TextPart] = []
        self.media: list[MediaPart] = []
        self._limits = limits
        self._parts = 0

    def read(self, body: Mapping[str, JsonValue]) -> None:
        self._definitions(body)
        messages = self._list(body.get("messages"), "messages", self._limits.messages)
        if not messages:
            raise RequestError("must not be empty", code="empty_messages", param="messages")
        for index, message in enumerate(messages):
            self._message(message, f"messages[{index}]")
        if isinstance(prediction := body.get("prediction"), dict):
            self._content(prediction.get("content"), Role.ASSISTANT, "prediction.content")
            beside = left_over(prediction, {"content"})
            structure = fields.PREDICTION_STRUCTURE
            self._rest(beside, Role.ASSISTANT, "prediction", structure=structure)
        elif prediction is not None:
            self._rest(prediction, Role.ASSISTANT, "prediction")
        rest = left_over(body, _READ_APART)
        self._rest(rest, Role.UNKNOWN, "$", structure=fields.REQUEST_STRUCTURE)

    def _definitions(self, body: Mapping[str, JsonValue]) -> None:
        for field in ("tools", "functions"):
            if body.get(field) is None:
                continue
            for index, tool in enumerate(self._list(body[field], field, self._limits.tools)):
                self._say(Role.DEFINITION, everything_in(tool), f"{field}[{index}]")
        if (schema := body.get("response_format")) is not None:
            plain = isinstance(schema, dict) and schema.keys() <= {"type"}
            if plain:
                structure = fields.FORMAT_STRUCTURE
                self._rest(schema, Role.DEFINITION, "response_format", structure=structure)
            else:
                self._say(Role.DEFINITION, everything_in(schema), "response_format")

    def _message(self, message: JsonValue, path: str) -> None:
        if not isinstance(message, dict):
            raise RequestError("must be an object", code="invalid_message", param=path)
        name = message.get("role")
        role = _ROLES.get(name) if isinstance(name, str) else None
        if role is None:
            raise RequestError(
                f"must be one of {', '.join(_ROLES)}", code="unknown_role", param=f"{path}.role"
            )
        self._content(message.get("content"), role, f"{path}.content")
        for field in ("name", "refusal", "reasoning_content", "reasoning"):
            self._say(role, text_of(message.get(field)), f"{path}.{field}")
        self._calls(message, role, path)
        self._audio(message.get("audio"), role, f"{path}.audio")
        rest = left_over(message, fields.MESSAGE_KNOWN)
        self._rest(rest, role, path, structure=fields.MESSAGE_STRUCTURE)

    def _audio(self, audio: JsonValue, role: Role, path: str) -> None:
        """An earlier answer's sound, by its id: nothing that can be read here."""
        if audio is not None:
            self.media.append(MediaPart(role, MediaKind.AUDIO, path, _size(audio)))
            self._rest(audio, role, path, structure=fields.AUDIO_STRUCTURE)

    def _calls(self, message: Mapping[str, JsonValue], role: Role, path: str) -> None:
        calls = message.get("tool_calls")
        if calls is not None:
            for index, call in enumerate(self._list(calls, f"{path}.tool_calls", None)):
                self._call(call, role, f"{path}.tool_calls[{index}]")
        self._called(message.get("function_call"), role, f"{path}.function_call")

    def _call(self, call: JsonValue, role: Role, path: str) -> None:
        if not isinstance(call, dict):
            raise RequestError("must be an object", code="invalid_tool_call", param=path)
        for field in ("function", "custom"):
            self._called(call.get(field), role, f"{path}.{field}")
        rest = left_over(call, {"function", "custom"})
        self._rest(rest, role, path, structure=fields.MESSAGE_STRUCTURE)

    def _called(self, called: JsonValue, role: Role, path: str) -> None:
        """Name and arguments, as they stand and as whoever decodes them reads them."""
        members = called.values() if isinstance(called, dict) else ()
        inside = [unfolded(member) for member in members if isinstance(member, str)]
        self._say(role, everything_in(called), path)
        self._say(role, "\n".join(filter(None, inside)), path)

    def _content(self, content: JsonValue, role: Role, path: str) -> None:
        if content is None:
            return
        if isinstance(content, str):
            self._say(role, content, path)
            return
        if not isinstance(content, list):
            raise RequestError(
                "must be a string or a list of parts", code="invalid_content", param=path
            )
        for index, part in enumerate(content):
            self._parts += 1
            if self._parts > self._limits.parts:
                raise RequestError(
                    f"more than {self._limits.parts} content parts", code="too_many_parts"
                )
            self._part(part, role, f"{path}[{index}]")

    def _part(self, part: JsonValue, role: Role, path: str) -> None:
        if isinstance(part, str):
            self._say(role, part, path)
            return
        if not isinstance(part, dict) or not isinstance(kind := part.get("type"), str):
            raise RequestError(
                "must be an object with a `type`", code="invalid_content", param=path
            )
        if kind in fields.PART_TEXT:
            text = {key: part[key] for key in part if key in fields.PART_TEXT_KEYS}
            structure = fields.PART_STRUCTURE
            self._say(role, text_of(text, structure=structure), path)
            beside = left_over(part, fields.PART_TEXT_KEYS)
            self._rest(beside, role, path, structure=structure)
            return
        medium = fields.PART_MEDIA.get(kind)
        if medium is not None:
            self._medium(part, medium, role, path)
            return
        # Unknown: judged as text, and whatever looks like a medium is for the policy to decide.
        self._say(role, text_of(part, structure=fields.PART_STRUCTURE), path)
        if refers_to_media(part):
            self.media.append(MediaPart(role, MediaKind.FILE, path, _size(part)))

    def _medium(self, part: dict[str, JsonValue], kind: MediaKind, role: Role, path: str) -> None:
        kinds = {kind, *(kind for kind, _ in embedded_media(part))}
        if any(text in _VECTORS for _, text in string_leaves(part, keys=False)):
            kinds.add(MediaKind.FILE)
        if kinds != {kind}:
            # What it says it is and what it holds differ: the strictest rule is a file's.
            kind = MediaKind.FILE
        self.media.append(MediaPart(role, kind, path, _size(part)))
        said = _without_payload(part)
        self._say(role, text_of(said, structure=fields.PART_STRUCTURE), path)

    def _rest(
        self,
        rest: JsonValue,
        role: Role,
        path: str,
        *,
        structure: re.Pattern[str] | None = None,
    ) -> None:
        self._say(role, text_of(rest, structure=structure), path)
        for kind, size in embedded_media(rest):
            self.media.append(MediaPart(role, kind, path, size))

    def _say(self, role: Role, text: str, path: str) -> None:
        if text and not text.isspace():
            self.texts.append(TextPart(role, text, path))

    @staticmethod
    def _list(value: JsonValue, path: str, limit: int | None) -> list[JsonValue]:
        if not isinstance(value, list):
            raise RequestError("must be a list", code="invalid_type", param=path)
        if limit is not None and len(value) > limit:
            raise RequestError(f"more than {limit} entries", code=f"too_many_{path}", param=path)
        return value


def _odd_biases(biases: JsonValue) -> JsonValue:
    """What is left of `logit_bias` without its pairs of a token's number and a number."""
    if not isinstance(biases, dict):
        return biases
    return {
        key: bias
        for key, bias in biases.items()
        if not (key.isascii() and key.isdecimal() and isinstance(bias, int | float | None))
    }


def _without_payload(value: JsonValue) -> JsonValue:
    """The part without the strings that are the medium itself or its address."""
    if not isinstance(value, dict):
        return value
    return {
        key: _without_payload(member)
        for key, member in value.items()
        if not (key in fields.MEDIA_PAYLOAD and isinstance(member, str) and is_payload(member))
    }


def _size(value: JsonValue) -> int:
    """Characters of all strings in a part: its bytes on the wire, as media is ASCII."""
    return len(everything_in(value))
