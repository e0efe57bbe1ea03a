"""What a model says in OpenAI's Responses: one reading for whole answers and for events.

Source: the types of the `openai` package, `types/responses`.
"""

from __future__ import annotations

import re

from guardproxy.content import MediaKind
from guardproxy.dialects.leaves import everything_in, left_over
from guardproxy.dialects.logprobs import tokens_said
from guardproxy.dialects.shape import Shape, ShapedSaid
from guardproxy.strict_json import JsonValue

SHAPE = Shape(
    re.compile(
        r"(?:.*\.)?(?:id|object|type|role|status|model|call_id|item_id|approval_request_id"
        r"|previous_response_id|service_tier|truncation|effort|verbosity|prompt_cache_key"
        r"|prompt_cache_retention|safety_identifier|user|phase|fingerprint|file_id"
        r"|container_id|obfuscation|format|quality|size|background|output_format|mode|ttl"
        r"|tool_choice|error\.code|error\.param|reasoning\.summary"
        r"|(?:incomplete_details|prompt_cache_diagnostics|input_transformations\[\d+\])\.reason)"
    ),
    sealed=re.compile(r"(?:.*\.)?encrypted_content"),
    media=re.compile(r"(?:.*\.)?(?:result|partial_image_b64|data)"),
)
_RESPONSE_APART = frozenset({"output", "instructions", "tools"})
_ITEM_TEXT = ("name", "arguments", "input", "code", "output", "action", "operation")
_PART_TEXT = ("text", "refusal", "transcript")
_ITEM_GIVEN = ("outputs", "results")
"""What a tool returned, beside `output`."""
SPOKEN = re.compile(r"output\[-?\d+\]\.content\[-?\d+\]\.text")
"""Channels of what clients show as the answer."""


def said_in(value: JsonValue) -> ShapedSaid:
    """Everything a whole answer says, an error answer too.

    Clients join the texts of all parts, so they are judged as one text as well.
    """
    said = ShapedSaid(shape=SHAPE)
    read_response(value, said)
    texts = [piece.text for piece in said.pieces if SPOKEN.fullmatch(piece.channel)]
    if len(texts) > 1:
        said.say("output_text", "".join(texts))
    return said


def read_response(value: JsonValue, said: ShapedSaid) -> None:
    """A response: its items, what it echoes, and the fields beside them."""
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return
    items = value.get("output")
    if isinstance(items, list):
        for index, item in enumerate(items):
            read_item(item, f"output[{index}]", said)
    else:
        say_text(items, "output", said)
    say_text(value.get("instructions"), "instructions", said)
    tools = value.get("tools")
    for index, tool in enumerate(tools if isinstance(tools, list) else [tools]):
        said.say(f"tools[{index}]", everything_in(tool))
    said.say_rest("$", left_over(value, _RESPONSE_APART))


def read_item(item: JsonValue, place: str, said: ShapedSaid) -> None:
    """One output item."""
    if not isinstance(item, dict):
        say_text(item, place, said)
        return
    apart: set[str] = set(_ITEM_TEXT)
    for field in _ITEM_TEXT:
        say_text(item.get(field), f"{place}.{field}", said)
    for field in _ITEM_GIVEN:
        said.say_numbers(f"{place}.{field}", item.get(field))
    for field in ("content", "summary"):
        if isinstance(parts := item.get(field), list):
            apart.add(field)
            for index, part in enumerate(parts):
                read_part(part, f"{place}.{field}[{index}]", said)
    kind = MediaKind.IMAGE if item.get("type") == "image_generation_call" else MediaKind.FILE
    said.say_rest(place, left_over(item, apart), kind=kind)


def read_part(part: JsonValue, place: str, said: ShapedSaid) -> None:
    """One content part; what an event says beside its part is read the same way."""
    if not isinstance(part, dict):
        say_text(part, place, said)
        return
    before = len(said.pieces)
    for field in _PART_TEXT:
        say_text(part.get(field), f"{place}.{field}", said)
    known = {piece.text for piece in said.pieces[before:]}
    say_logprobs(part.get("logprobs"), place, known, said)
    said.say_rest(place, left_over(part, {*_PART_TEXT, "logprobs"}))


def say_logprobs(logprobs: JsonValue, place: str, known: set[str], said: ShapedSaid) -> None:
    """Log probabilities, as far as they say more than the `known` texts."""
    for name, text in tokens_said({"content": logprobs}, known):
        said.say(f"{place}.logprobs.{name}", text)


def say_text(value: JsonValue, channel: str, said: ShapedSaid) -> None:
    """A known text; in any other form, all that stands in it."""
    if isinstance(value, str):
        said.say(channel, value)
    elif value is not None:
        said.say_all(channel, value)
