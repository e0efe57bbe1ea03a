"""Reads the body of Anthropic's `POST /v1/messages` and `/v1/messages/count_tokens`.

What the model reads from elsewhere (files by id, MCP servers, a container of an earlier call)
cannot be judged: the policy's rule for files decides about it.

Source: the types of the `anthropic` package, 2.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chat_fields import REQUEST_REFUSED
from guardproxy.dialects.leaves import kind_of, left_over, refers_to_media
from guardproxy.dialects.request_values import object_of, refuse_unread, role_of, switch_of
from guardproxy.dialects.shape import Shape
from guardproxy.dialects.shaped_reader import ShapedReader, kind_of_part
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import BESIDE
from guardproxy.strict_json import JsonValue

_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM)}
_READ_APART = frozenset(
    {"messages", "system", "tools", "mcp_servers", "container", "guardrails", "stream"}
)
_BODY = Shape(
    re.compile(
        r"model|service_tier|speed|inference_geo|metadata\.user_id|user_profile_id|workspace_id"
        r"|tool_choice\.type|thinking\.(?:type|display)|output_config\.(?:effort|format\.type)"
        r"|output_format\.type|cache_control\.(?:type|ttl)|diagnostics\.previous_message_id"
        r"|context_management\.edits\[\d+\]\.(?:type|trigger\.type|keep\.type)"
    )
)
_MESSAGE = Shape(re.compile(r"role|clear_at|output_config\.effort"))
_BLOCK = Shape(
    re.compile(
        r"type|id|tool_use_id|file_id|cache_control\.(?:type|ttl)|caller\.(?:type|tool_id)"
        r"|citations\[\d+\]\.(?:type|file_id)|error_code|file_type"
    ),
    sealed=re.compile(r"signature|encrypted_\w+|citations\[\d+\]\.encrypted_index"),
)
_SEALED_BLOCK = Shape(_BLOCK.structure, sealed=re.compile(r"data"))
_MEDIUM = Shape(
    re.compile(r"type|id|cache_control\.(?:type|ttl)"), media=re.compile(r"data|url|file_id")
)
_SOURCE = Shape(re.compile(r"type|media_type"))
_MEDIA_SOURCE = Shape(_SOURCE.structure, media=re.compile(r"data|url|file_id"))
_MEDIA = {
    "image": MediaKind.IMAGE,
    "document": MediaKind.FILE,
    "container_upload": MediaKind.FILE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.FILE,
}
_ALONE = ("text", "thinking")
"""Block types that say one thing, in a field of that name."""
_PLAIN = re.compile(
    r"text|thinking|redacted_thinking|compaction|tool_use|\w+_tool_use|tool_result|\w+_result"
    r"|\w+_result_error|\w+_output|tool_reference|browser_state"
)
"""Block types that hold no medium of their own."""


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = object_of(body, limits)
    refuse_unread(value, REQUEST_REFUSED)
    stream = switch_of(value, "stream")
    reader = _MessagesReader(limits)
    reader.read(value)
    return reader.asked(value, body, stream=stream is True)


class _MessagesReader(ShapedReader):
    def read(self, body: Mapping[str, JsonValue]) -> None:
        self.definitions(body.get("tools"))
        # Servers whose tools, and containers whose files, nobody here has seen.
        for field in ("mcp_servers", "container"):
            self.all_of(body.get(field), Role.DEFINITION, field)
        if (system := body.get("system")) is not None:
            self._content(system, Role.SYSTEM, "system")
        messages = self.listed(body.get("messages"), "messages", self.limits.messages)
        if not messages:
            raise RequestError("must not be empty", code="empty_messages", param="messages")
        for index, message in enumerate(messages):
            self._message(message, f"messages[{index}]")
        self.shaped(left_over(body, _READ_APART), Role.UNKNOWN, "$", _BODY)

    def _message(self, message: JsonValue, path: str) -> None:
        if not isinstance(message, dict):
            raise RequestError("must be an object", code="invalid_message", param=path)
        role = role_of(message.get("role"), _ROLES, path)
        content = message.get("content")
        # A system message may hold settings in place of content.
        if content is not None or role is not Role.SYSTEM:
            self._content(content, role, f"{path}.content")
        self.shaped(left_over(message, {"content"}), role, path, _MESSAGE)

    def _content(self, content: JsonValue, role: Role, path: str) -> None:
        if isinstance(content, str):
            self.say(role, content, path)
        elif isinstance(content, list):
            for index, block in enumerate(content):
                self._block(block, role, f"{path}[{index}]")
        else:
            raise RequestError(
                "must be a string or a list of blocks", code="invalid_content", param=path
            )

    def _block(self, block: JsonValue, role: Role, path: str) -> None:
        self.count_part()
        if isinstance(block, str):
            self.say(role, block, path)
            return
        block, kind = kind_of_part(block, path)
        if result := kind.endswith("tool_result"):
            role = Role.TOOL
        known = kind in _MEDIA or _PLAIN.fullmatch(kind) is not None
        if not known and refers_to_media(block):
            self.unread(block, role, path)
        # Of a text or a thought an upstream reads only that; of a result what it holds.
        beside = path + BESIDE
        held = path if known and kind not in _ALONE else beside
        place = beside if result else held
        apart = {*_ALONE, "content", "source", "input"}
        for field in _ALONE:
            self._text(block.get(field), role, f"{path if kind == field else beside}.{field}")
        self._nested(block.get("content"), role, f"{held}.content")
        if (source := block.get("source")) is not None:
            self._source(source, kind, role, f"{place}.source")
        if (given := block.get("input")) is not None:
            self.all_of(given, role, f"{place}.input")
        self._rest(left_over(block, apart), kind, role, place)

    def _text(self, text: JsonValue, role: Role, path: str) -> None:
        if isinstance(text, str):
            self.say(role, text, path)
        elif text is not None:
            self.all_of(text, role, path)

    def _nested(self, content: JsonValue, role: Role, path: str) -> None:
        """What a tool's result or a found document holds: a text, blocks, or one block."""
        if isinstance(content, dict):
            self._block(content, role, path)
        elif content is not None:
            self._content(content, role, path)

    def _source(self, source: JsonValue, kind: str, role: Role, path: str) -> None:
        form = source.get("type") if isinstance(source, dict) else "text"
        if not isinstance(source, dict) or form == "text":
            self.shaped(source, role, path, _SOURCE)
            return
        if form == "content":
            self._content(source.get("content"), role, f"{path}.content")
            self.shaped(left_over(source, {"content"}), role, path, _SOURCE)
            return
        medium = _MEDIA.get(kind, MediaKind.FILE)
        declared = source.get("media_type")
        if isinstance(declared, str) and kind_of(declared) is not medium:
            # Not what it stands for: the strictest rule is a file's.
            medium = MediaKind.FILE
        self.medium(source, role, path, _MEDIA_SOURCE, medium)

    def _rest(self, rest: dict[str, JsonValue], kind: str, role: Role, path: str) -> None:
        if kind == "redacted_thinking":
            self.shaped(rest, role, path, _SEALED_BLOCK)
        elif (medium := _MEDIA.get(kind)) is not None:
            self.shaped(rest, role, path, _MEDIUM, medium)
        else:
            self.shaped(rest, role, path, _BLOCK)
