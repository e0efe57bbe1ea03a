"""Reads the body of OpenAI's `POST /v1/responses`, `/input_tokens` and `/compact`.

What names text that is stored upstream (an earlier response, a conversation, a prompt, an item)
is for the policy to allow: `Asked.stored`. What names files, servers or containers is a file.

Source: the types of the `openai` package, `types/responses`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chat_fields import (
    PART_KNOWN,
    PART_STRUCTURE,
    REQUEST_KNOWN,
    REQUEST_REFUSED,
)
from guardproxy.dialects.leaves import left_over, refers_to_media
from guardproxy.dialects.request_values import (
    check_case,
    object_of,
    refuse_unread,
    role_of,
    switch_of,
)
from guardproxy.dialects.shape import Shape
from guardproxy.dialects.shaped_reader import ShapedReader
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import BESIDE
from guardproxy.strict_json import JsonValue

_STORED = ("previous_response_id", "conversation", "prompt")
_REFUSED = REQUEST_REFUSED - frozenset(_STORED)
_ROLES = {
    role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER)
}  # fmt: skip
_READ_APART = frozenset(
    {"input", "instructions", "tools", "text", "guardrails", "stream", "background", *_STORED}
)
_KNOWN = REQUEST_KNOWN | _READ_APART
_BODY = Shape(
    re.compile(
        r"model|service_tier|user|safety_identifier|prompt_cache_key|prompt_cache_retention"
        r"|prompt_cache_options\.(?:mode|ttl)|truncation|include\[\d+\]|text\.verbosity"
        r"|reasoning\.(?:effort|summary|generate_summary|context|mode)|tool_choice(?:\.type|\.mode)?"
        r"|tool_choice\.tools\[\d+\]\.type|context_management\[\d+\]\.type|moderation\.model"
        r"|access_programs\.cyber|background_options\.completion_window"
    )
)
_TEXT = Shape(re.compile(r"verbosity"))
_TEXT_KNOWN = frozenset({"format"})
_IDS = Shape(re.compile(r"id|type|version"))
_ITEM = Shape(
    re.compile(
        r"type|id|call_id|status|role|phase|approval_request_id|fingerprint|container_id|execution"
        r"|(?:summary|content)\[\d+\]\.type|caller\.(?:type|caller_id)|output_format|quality|size"
        r"|background|prompt_cache_breakpoint\.(?:type|mode)"
    ),
    sealed=re.compile(r"encrypted_content"),
)
_IMAGE_ITEM = Shape(_ITEM.structure, _ITEM.sealed, media=re.compile(r"result"))
_OUTPUT = Shape(
    re.compile(r"(?:\[\d+\]\.)?(?:type|file_id|status|outcome\.type)"),
    media=re.compile(r"(?:\[\d+\]\.)?(?:image_url|url)"),
)
_CALLED = ("name", "arguments", "input", "code", "action", "actions", "operation", "queries")
"""What a model asks a tool to do."""
_GIVEN = ("output", "outputs", "results", "error")
"""What came back: untrusted text."""
_LOADED = frozenset({"additional_tools", "tool_search_output"})
"""Items whose tools the model may call from then on."""
_ITEM_KNOWN = frozenset(
    {"type", "role", "content", "summary", "tools", "id", "call_id", *_CALLED, *_GIVEN}
)
_IMAGES = frozenset({"computer_screenshot", "image"})


def read_request(body: bytes, limits: Limits) -> Asked:
    """See `Dialect.read_request`."""
    value = object_of(body, limits, _KNOWN)
    refuse_unread(value, _REFUSED)
    stream = switch_of(value, "stream")
    if switch_of(value, "background"):
        raise RequestError(
            "is not let through: the answer would be fetched by another request, unjudged",
            code="unsupported_field", param="background",
        )  # fmt: skip
    reader = _ResponsesReader(limits)
    reader.read(value)
    asked = reader.asked(value, body, stream=stream is True)
    return dataclasses.replace(asked, stored=reader.stored)


class _ResponsesReader(ShapedReader):
    """`stored` is the path of the first reference to text that is stored upstream."""

    stored: str | None = None

    def read(self, body: Mapping[str, JsonValue]) -> None:
        for field in _STORED:
            self._store(body.get(field), field)
        self.definitions(body.get("tools"))
        self._text_format(body.get("text"))
        instructions = body.get("instructions")
        if isinstance(instructions, list):
            self._items(instructions, "instructions")
        elif instructions is not None:
            self.shaped(instructions, Role.SYSTEM, "instructions", _BODY)
        given = body.get("input")
        if isinstance(given, str):
            self.say(Role.USER, given, "input")
        elif given is not None:
            self._items(self.listed(given, "input", self.limits.messages), "input")
        self.shaped(left_over(body, _READ_APART), Role.UNKNOWN, "$", _BODY)

    def _store(self, reference: JsonValue, path: str) -> None:
        """A reference; what is given to fill in is the caller's text."""
        if reference in (None, ""):
            return
        self.stored = self.stored or path
        if isinstance(reference, dict):
            self.all_of(reference.get("variables"), Role.USER, f"{path}.variables")
            if refers_to_media(reference.get("variables")):
                self.unread(reference, Role.USER, f"{path}.variables")
            reference = left_over(reference, {"variables"})
        named: JsonValue = {"id": reference} if isinstance(reference, str) else reference
        self.shaped(named, Role.USER, path, _IDS)

    def _text_format(self, text: JsonValue) -> None:
        if isinstance(text, dict):
            check_case(text, _TEXT_KNOWN, "text")
        if isinstance(text, dict) and text.get("format") is not None:
            self.answer_format(text["format"], "text.format")
            text = left_over(text, {"format"})
        self.shaped(text, Role.DEFINITION, "text", _TEXT)

    def _items(self, items: list[JsonValue], path: str) -> None:
        for index, item in enumerate(items):
            self._item(item, f"{path}[{index}]")

    def _item(self, item: JsonValue, path: str) -> None:
        self.count_part()
        if isinstance(item, str):
            self.say(Role.USER, item, path)
            return
        if not isinstance(item, dict):
            raise RequestError("must be an object", code="invalid_item", param=path)
        check_case(item, _ITEM_KNOWN, path)
        kind = item.get("type")
        if kind is None:
            kind = "message" if "role" in item else "item_reference"
        if kind == "message":
            role = role_of(item.get("role"), _ROLES, path)
            self.content(item.get("content"), role, f"{path}.content")
            self.shaped(left_over(item, {"content"}), role, path + BESIDE, _ITEM)
            return
        if kind == "agent_message":
            self.content(item.get("content"), Role.ASSISTANT, f"{path}.content")
            self.shaped(left_over(item, {"content"}), Role.ASSISTANT, path, _ITEM)
            return
        if kind == "item_reference":
            self.stored = self.stored or path
        self._tool_item(item, str(kind), path)

    def _part(self, part: JsonValue, role: Role, path: str) -> None:
        if isinstance(part, dict) and part.get("type") == "encrypted_content":
            # From agent to agent: no medium, however long it is.
            check_case(part, PART_KNOWN, path)
            self.rest(part, role, path, structure=PART_STRUCTURE)
        else:
            super()._part(part, role, path)

    def _tool_item(self, item: dict[str, JsonValue], kind: str, path: str) -> None:
        """A call, what came of it, a thought, or an item that nobody knows."""
        role = Role.TOOL if kind.endswith(("_output", "list_tools")) else Role.ASSISTANT
        for field in _CALLED:
            if item.get(field) is not None:
                self.all_of(item[field], role, f"{path}.{field}")
        for field in _GIVEN:
            self._given(item.get(field), f"{path}.{field}")
        if kind in _LOADED:
            self.definitions(item.get("tools"), f"{path}.tools")
        elif item.get("tools") is not None:
            self.all_of(item["tools"], Role.TOOL, f"{path}.tools")
        rest = left_over(item, {*_CALLED, *_GIVEN, "tools"})
        if kind == "image_generation_call":
            self.shaped(rest, role, path, _IMAGE_ITEM, MediaKind.IMAGE)
        else:
            self.shaped(rest, role, path, _ITEM)

    def _given(self, given: JsonValue, path: str) -> None:
        if isinstance(given, str):
            self.say(Role.TOOL, given, path)
        elif isinstance(given, list) and all(_is_content(part) for part in given):
            self.content(given, Role.TOOL, path)
        elif isinstance(given, dict) and str(given.get("type")) in _IMAGES:
            self.medium(given, Role.TOOL, path, _OUTPUT, MediaKind.IMAGE)
        elif given is not None:
            self.shaped(given, Role.TOOL, path, _OUTPUT, MediaKind.IMAGE)


def _is_content(part: JsonValue) -> bool:
    """A content part, unlike what a search or a program gives."""
    kind = part.get("type") if isinstance(part, dict) else None
    return isinstance(kind, str) and kind.startswith("input_")
