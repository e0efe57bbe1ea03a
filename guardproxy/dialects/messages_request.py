"""Reads the body of Anthropic's `POST /v1/messages` and `/v1/messages/count_tokens`.

What the model reads from elsewhere (files by id, MCP servers, a container of an earlier call)
cannot be judged: the policy's rule for files decides about it.

Source: the types of the `anthropic` package, 2.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chat_fields import REQUEST_KNOWN, REQUEST_REFUSED
from guardproxy.dialects.leaves import kind_of, left_over
from guardproxy.dialects.request_reader import points_elsewhere
from guardproxy.dialects.request_values import (
    check_case,
    object_of,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.dialects.shape import Shape
from guardproxy.dialects.shaped_reader import ShapedReader, kind_of_part
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import BESIDE
from guardproxy.strict_json import JsonValue

_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM)}
_READ_APART = frozenset(
    {
        "messages", "system", "tools", "mcp_servers", "container", "guardrails", "stream",
        "output_config", "output_format",
    }
)  # fmt: skip
_KNOWN = REQUEST_KNOWN | _READ_APART
_MESSAGE_KNOWN = frozenset({"role", "content"})
_BLOCK_KNOWN = frozenset(
    {"type", "text", "thinking", "content", "source", "input", "id", "name", "tool_use_id"}
)
_BODY = Shape(
    re.compile(
        r"model|service_tier|speed|inference_geo|metadata\.user_id|user_profile_id|workspace_id"
        r"|tool_choice\.type|thinking\.(?:type|display)|output_config\.(?:effort|format\.type)"
        r"|output_format\.type|cache_control\.(?:type|ttl)|diagnostics\.previous_message_id"
        r"|thread\.(?:type|previous_message_id)"
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
_SOURCE_KNOWN = frozenset({"type", "media_type", "data", "url", "file_id", "content"})
_CONFIG_KNOWN = frozenset({"format"})
_THREAD_KNOWN = frozenset({"type", "previous_message_id"})
_MEDIA = {
    "image": MediaKind.IMAGE,
    "document": MediaKind.FILE,
    "container_upload": MediaKind.FILE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.FILE,
}
_ALONE = ("text", "thinking")
"""Block types that say one thing, in a field of that name."""
_DEFINED = frozenset({"tool", "tools", "tool_changes"})
"""Where a block defines tools; their keys and numbers are judged as those of the body's are."""
_PLAIN = re.compile(
    r"text|thinking|redacted_thinking|compaction|tool_use|\w+_tool_use|tool_result|\w+_result"
    r"|\w+_result_error|\w+_output|tool_reference|browser_state"
)
"""Block types that hold no medium of their own."""


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = object_of(body, limits, _KNOWN)
    refuse_unread(value, REQUEST_REFUSED)
    stream = switch_of(value, "stream")
    reader = _MessagesReader(limits)
    reader.read(value)
    asked = reader.asked(value, body, stream=stream is True)
    return replace(asked, stored=_stored(value.get("thread")))


def _stored(thread: JsonValue) -> str | None:
    """The path of a reference to turns that the upstream keeps: only a new thread has none."""
    if isinstance(thread, dict):
        check_case(thread, _THREAD_KNOWN, "thread")
    if thread is None or (isinstance(thread, dict) and thread.get("type") == "create"):
        return None
    return "thread.previous_message_id"


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
        self.answer_format(body.get("output_format"), "output_format")
        rest = left_over(body, _READ_APART)
        config = body.get("output_config")
        if isinstance(config, dict):
            self.answer_format(config.get("format"), "output_config.format")
            check_case(config, _CONFIG_KNOWN, "output_config")
            config = left_over(config, _CONFIG_KNOWN)
        self.shaped({**rest, "output_config": config}, Role.UNKNOWN, "$", _BODY)

    def _message(self, message: JsonValue, path: str) -> None:
        if not isinstance(message, dict):
            raise RequestError("must be an object", code="invalid_message", param=path)
        check_case(message, _MESSAGE_KNOWN, path)
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
        check_case(block, _BLOCK_KNOWN, path)
        if result := kind.endswith("tool_result"):
            role = Role.TOOL
        known = kind in _MEDIA or _PLAIN.fullmatch(kind) is not None
        if not known and points_elsewhere(block):
            self.unread(block, role, path)
        # Of a text or a thought an upstream reads only that; of a result what it holds.
        beside = path + BESIDE
        held = path if known and kind not in _ALONE else beside
        place = beside if result else held
        apart = {*_ALONE, *_DEFINED, "content", "source", "input"}
        for field in _ALONE:
            self._text(block.get(field), role, f"{path if kind == field else beside}.{field}")
        self._nested(block.get("content"), role, f"{held}.content")
        if (source := block.get("source")) is not None:
            self._source(source, kind, role, f"{place}.source")
        if (given := block.get("input")) is not None:
            self.all_of(given, role, f"{place}.input")
        for field in sorted(_DEFINED & block.keys()):
            self.defined(block[field], role, f"{place}.{field}")
        self._rest(left_over(block, apart), kind, role, place)

    def _text(self, text: JsonValue, role: Role, path: str) -> None:
        if isinstance(text, str):
            self.say(role, text, path)
        elif text is not None:
            self.encoded(text, role, path)

    def _nested(self, content: JsonValue, role: Role, path: str) -> None:
        """What a tool's result or a found document holds: a text, blocks, or one block."""
        if isinstance(content, dict):
            self._block(content, role, path)
        elif content is not None:
            self._content(content, role, path)

    def _source(self, source: JsonValue, kind: str, role: Role, path: str) -> None:
        if isinstance(source, dict):
            check_case(source, _SOURCE_KNOWN, path)
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
