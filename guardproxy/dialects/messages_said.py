"""What a model says in Anthropic's Messages: one reading for whole messages and for events.

All text blocks are one text (`content.text`): clients show them as one, and answers with citations
come in many. All thinking is one, too.

Source: the types of the `anthropic` package, 2.12.
"""

from __future__ import annotations

import re

from guardproxy.dialects.leaves import left_over
from guardproxy.dialects.shape import Shape, ShapedSaid
from guardproxy.strict_json import JsonValue

SHAPE = Shape(
    re.compile(
        r"(?:.*\.)?(?:id|type|role|model|stop_reason|tool_use_id|tool_id|file_id|error_code"
        r"|service_tier|inference_geo|speed|request_id|category|media_type|file_type"
        r"|expires_at|code|status)"
    ),
    sealed=re.compile(r"(?:.*\.)?(?:signature|encrypted_\w+)"),
    media=re.compile(r"(?:.*\.)?(?:source\.data|data)"),
)
_SEALED_BLOCK = Shape(SHAPE.structure, sealed=re.compile(r"data"))
_BLOCK_APART = frozenset({"text", "thinking", "name", "input", "partial_json"})


def said_in(value: JsonValue) -> ShapedSaid:
    """Everything a whole answer says, an error answer too."""
    said = ShapedSaid(shape=SHAPE)
    read_message(value, said)
    return said


def read_message(value: JsonValue, said: ShapedSaid, place: str = "$") -> None:
    """A message: its blocks, and the fields beside them."""
    if not isinstance(value, dict):
        said.say_rest(place, value)
        return
    blocks = value.get("content")
    if isinstance(blocks, list):
        for index, block in enumerate(blocks):
            read_block(block, index, said)
    else:
        _read_text(blocks, "content.text", said)
    said.say_rest(place, left_over(value, {"content"}))


def read_block(block: JsonValue, index: int, said: ShapedSaid) -> None:
    """One content block, or what a delta adds to it."""
    place = f"content[{index}]"
    if not isinstance(block, dict):
        _read_text(block, "content.text", said)
        return
    for field in ("text", "thinking"):
        _read_text(block.get(field), f"content.{field}", said)
    _read_text(block.get("name"), f"{place}.name", said)
    _read_text(block.get("partial_json"), f"{place}.input", said)
    said.say_all(f"{place}.input", block.get("input"))
    kind = block.get("type")
    if isinstance(kind, str) and kind.endswith("tool_result"):
        said.say_numbers(f"{place}.content", block.get("content"))
    sealed = _SEALED_BLOCK if kind == "redacted_thinking" else None
    said.say_rest(place, left_over(block, _BLOCK_APART), sealed)


def _read_text(value: JsonValue, channel: str, said: ShapedSaid) -> None:
    if isinstance(value, str):
        said.say(channel, value)
    elif value is not None:
        said.say_all(channel, value)
