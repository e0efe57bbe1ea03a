"""What a model says in chat completions: one reading for whole messages and for deltas.

A known text has its own channel (`choices[0].content`). Every other string is kept with its path,
list positions left out: the same field of the next event continues it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields as fields
from guardproxy.dialects.base import Piece
from guardproxy.dialects.leaves import (
    embedded_media,
    everything_in,
    is_payload,
    left_over,
    numbers_in,
    says_nothing,
    text_leaves,
    text_of,
)
from guardproxy.dialects.logprobs import tokens_said
from guardproxy.dialects.media_clues import clued_media
from guardproxy.strict_json import JsonValue

_BESIDE = "beside"
"""Ends the channel of what stands beside the texts of a content: references, titles, addresses."""
_OTHER = "other"
"""In the channel of a chunk's text: its kind, where that is none of the known ones."""
_POSITION = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class Said:
    """What one body or one event says, collected.

    `rest` holds what stands in fields that no dialect knows, with where (`$`, `choices[0]`);
    `structure` matches the paths in them that hold ids and enum values. `calls` are the channels
    of tool calls that say something, with the id that each has here.
    """

    structure: re.Pattern[str] = fields.ANSWER_STRUCTURE
    pieces: list[Piece] = field(default_factory=list)
    rest: list[tuple[str, Piece]] = field(default_factory=list)
    media: list[MediaPart] = field(default_factory=list)
    calls: list[tuple[str, JsonValue]] = field(default_factory=list)

    def say(self, channel: str, text: str) -> None:
        if text:
            self.pieces.append(Piece(channel, text))

    def say_numbers(self, channel: str, value: JsonValue) -> None:
        """Numbers that may be somebody's, where a tool is called or has answered."""
        self.say(f"{channel}.numbers", numbers_in(value))

    def say_rest(self, place: str, rest: JsonValue) -> None:
        if says_nothing(rest, self.structure):
            return
        together: dict[str, list[str]] = {}
        for path, text in text_leaves(rest, structure=self.structure, without_media=True):
            together.setdefault(_POSITION.sub("[]", path), []).append(text)
        for path, texts in together.items():
            self.rest.append((place, Piece(f"{place}.{path}", "\n".join(texts))))
        self.note_media(place, rest)

    def note_media(self, path: str, value: JsonValue) -> None:
        for kind, size in embedded_media(value):
            self.media.append(MediaPart(Role.ASSISTANT, kind, path, size))
        for clued in clued_media(value):
            self.media.append(MediaPart(Role.ASSISTANT, clued.kind, path, len(clued.text)))


def read_choice(choice: Mapping[str, JsonValue], index: int, said: Said) -> None:
    """Everything one choice says: message, delta, text, logprobs and fields nobody knows."""
    path = f"choices[{index}]"
    before = len(said.pieces)
    for holder in ("message", "delta"):
        spoken = choice.get(holder)
        if isinstance(spoken, dict):
            read_spoken(spoken, path, said)
        else:
            read_text(spoken, f"{path}.{holder}", said)
    read_text(choice.get("text"), f"{path}.text", said)
    if (logprobs := choice.get("logprobs")) is not None:
        known = {piece.text for piece in said.pieces[before:]}
        for name, text in tokens_said(logprobs, known):
            said.say(f"{path}.logprobs.{name}", text)
    said.say_rest(path, left_over(choice, fields.CHOICE_KNOWN))


def read_spoken(spoken: Mapping[str, JsonValue], path: str, said: Said) -> None:
    """Everything a message or a delta says."""
    for name in fields.SAID_TEXT:
        if (text := spoken.get(name)) is not None:
            read_text(text, f"{path}.{name}", said)
    calls = spoken.get("tool_calls")
    if isinstance(calls, list):
        for position, call in enumerate(calls):
            _read_call(call, position, path, said)
    elif calls is not None:
        said.say(f"{path}.tool_calls", everything_in(calls))
        said.say_numbers(f"{path}.tool_calls", calls)
    if (call := spoken.get("function_call")) is not None:
        read_function(call, f"{path}.function_call", said)
    if (audio := spoken.get("audio")) is not None:
        _read_audio(audio, f"{path}.audio", said)
    said.say_rest(path, left_over(spoken, fields.SAID_KNOWN))


def read_text(value: JsonValue, channel: str, said: Said) -> None:
    """A text, or what has chunks of one."""
    if value is None:
        return
    if isinstance(value, str):
        said.say(channel, value)
        return
    # Mistral: a list of chunks, thinking ones among them. Pieces of one text, no separator; a
    # reference between two of them is shown elsewhere and parts nothing.
    beside: list[JsonValue] = []
    spoken = _chunk_texts(value, channel, beside)
    for name, texts in groupby(spoken, key=lambda piece: piece.channel):
        said.say(name, "".join(piece.text for piece in texts))
    said.say(f"{channel}.{_BESIDE}", "\n".join(filter(None, map(_beside_text, beside))))
    for left in beside:
        said.note_media(channel, left)


def _chunk_texts(value: JsonValue, channel: str, beside: list[JsonValue]) -> Iterator[Piece]:
    """What chunks say, in order; `beside` gets what stands in them besides.

    A client that shows one kind of chunk leaves out the others, so each kind, and in it each
    field, is a text of its own.
    """
    for chunk in value if isinstance(value, list) else [value]:
        if isinstance(chunk, list):
            yield from _chunk_texts(chunk, channel, beside)
        elif isinstance(chunk, str):
            yield Piece(f"{channel}.{_OTHER}", chunk)
        elif isinstance(chunk, dict):
            kind = chunk.get("type")
            kind = kind if isinstance(kind, str) and kind in fields.PART_TEXT else _OTHER
            beside.append(left_over(chunk, fields.PART_TEXT_KEYS))
            for key, member in chunk.items():
                if key in fields.PART_TEXT_KEYS:
                    name = channel + _suffix(kind, key)
                    if isinstance(member, str):
                        yield Piece(name, member)
                    else:
                        yield from _chunk_texts(member, name, beside)


def _suffix(kind: str, key: str) -> str:
    """What the channel of a chunk's field ends in: nothing for the text of a text."""
    if kind == key:
        return "" if key == "text" else f".{key}"
    return f".{kind}.{key}"


def _beside_text(left: JsonValue) -> str:
    return text_of(left, structure=fields.ANSWER_STRUCTURE, without_media=True)


def _read_call(call: JsonValue, position: int, path: str, said: Said) -> None:
    if not isinstance(call, dict):
        said.say(f"{path}.tool_calls", everything_in(call))
        return
    index = call.get("index")
    number = index if isinstance(index, int) and not isinstance(index, bool) else position
    channel = f"{path}.tool_calls[{number}]"
    before = len(said.pieces)
    for name in ("function", "custom"):
        read_function(call.get(name), f"{channel}.{name}", said)
    if len(said.pieces) > before:
        said.calls.append((channel, call.get("id")))
    said.say_rest(channel, left_over(call, {"function", "custom"}))


def read_function(value: JsonValue, channel: str, said: Said) -> None:
    """What is called, and with what; arguments may be an object, as Mistral has it."""
    if not isinstance(value, dict):
        said.say(channel, everything_in(value))
        return
    for name in ("name", "arguments", "input"):
        member = value.get(name)
        text = member if isinstance(member, str) else everything_in(member)
        said.say(f"{channel}.{name}", text)
        said.say_numbers(f"{channel}.{name}", member)
    said.say_rest(channel, left_over(value, {"name", "arguments", "input"}))


def _read_audio(value: JsonValue, channel: str, said: Said) -> None:
    if not isinstance(value, dict):
        said.say(channel, everything_in(value))
        return
    read_text(value.get("transcript"), f"{channel}.transcript", said)
    known = {"transcript"}
    if isinstance(data := value.get("data"), str) and is_payload(data):
        known.add("data")
        if data:
            said.media.append(MediaPart(Role.ASSISTANT, MediaKind.AUDIO, channel, len(data)))
    said.say_rest(channel, left_over(value, known))
