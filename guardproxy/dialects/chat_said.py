"""What a model says in chat completions: one reading for whole messages and for deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields as fields
from guardproxy.dialects.base import Piece
from guardproxy.dialects.leaves import embedded_media, everything_in, left_over, text_of
from guardproxy.strict_json import JsonValue


@dataclass(slots=True)
class Said:
    """What one body or one event says, collected."""

    pieces: list[Piece] = field(default_factory=list)
    media: list[MediaPart] = field(default_factory=list)

    def say(self, channel: str, text: str) -> None:
        if text:
            self.pieces.append(Piece(channel, text))

    def say_rest(self, channel: str, rest: Mapping[str, JsonValue]) -> None:
        self.say(
            channel, text_of(dict(rest), structure=fields.ANSWER_STRUCTURE, without_media=True)
        )
        if size := embedded_media(dict(rest)):
            self.media.append(MediaPart(Role.ASSISTANT, MediaKind.IMAGE, channel, size))


def read_choice(choice: Mapping[str, JsonValue], index: int, said: Said) -> None:
    """Everything one choice says: message, delta, text, logprobs and fields nobody knows."""
    path = f"choices[{index}]"
    before = len(said.pieces)
    for holder in ("message", "delta"):
        spoken = choice.get(holder)
        if isinstance(spoken, dict):
            _read_spoken(spoken, path, said)
        elif spoken is not None:
            said.say(f"{path}.{holder}", text_of(spoken))
    said.say(f"{path}.text", text_of(choice.get("text")))
    if (logprobs := choice.get("logprobs")) is not None:
        _read_logprobs(logprobs, path, said, {piece.text for piece in said.pieces[before:]})
    said.say_rest(path, left_over(choice, fields.CHOICE_KNOWN))


def _read_spoken(spoken: Mapping[str, JsonValue], path: str, said: Said) -> None:
    for name in fields.SAID_TEXT:
        _read_text(spoken.get(name), f"{path}.{name}", said)
    calls = spoken.get("tool_calls")
    if isinstance(calls, list):
        for position, call in enumerate(calls):
            _read_call(call, position, path, said)
    elif calls is not None:
        said.say(f"{path}.tool_calls", everything_in(calls))
    if (call := spoken.get("function_call")) is not None:
        _read_function(call, f"{path}.function_call", said)
    if (audio := spoken.get("audio")) is not None:
        _read_audio(audio, f"{path}.audio", said)
    said.say_rest(f"{path}.rest", left_over(spoken, fields.SAID_KNOWN))


def _read_text(value: JsonValue, channel: str, said: Said) -> None:
    if isinstance(value, str):
        said.say(channel, value)
    elif isinstance(value, list):
        # Mistral: a list of chunks, thinking ones among them. Pieces of one text, no separator.
        said.say(channel, "".join(_chunk_texts(value, channel, said)))
    elif value is not None:
        said.say(channel, text_of(value))


def _chunk_texts(chunks: list[JsonValue], channel: str, said: Said) -> Iterator[str]:
    for chunk in chunks:
        yield text_of(chunk, structure=fields.ANSWER_STRUCTURE, without_media=True)
        if size := embedded_media(chunk):
            said.media.append(MediaPart(Role.ASSISTANT, MediaKind.IMAGE, channel, size))


def _read_call(call: JsonValue, position: int, path: str, said: Said) -> None:
    if not isinstance(call, dict):
        said.say(f"{path}.tool_calls", text_of(call))
        return
    index = call.get("index")
    number = index if isinstance(index, int) and not isinstance(index, bool) else position
    channel = f"{path}.tool_calls[{number}]"
    _read_function(call.get("function"), f"{channel}.function", said)
    _read_function(call.get("custom"), f"{channel}.custom", said)
    said.say_rest(channel, left_over(call, {"function", "custom"}))


def _read_function(value: JsonValue, channel: str, said: Said) -> None:
    if not isinstance(value, dict):
        said.say(channel, text_of(value))
        return
    for name in ("name", "arguments", "input"):
        member = value.get(name)
        text = member if isinstance(member, str) else everything_in(member)
        said.say(f"{channel}.{name}", text)
    said.say_rest(channel, left_over(value, {"name", "arguments", "input"}))


def _read_audio(value: JsonValue, channel: str, said: Said) -> None:
    if not isinstance(value, dict):
        said.say(channel, text_of(value))
        return
    said.say(f"{channel}.transcript", text_of(value.get("transcript")))
    if isinstance(data := value.get("data"), str) and data:
        said.media.append(MediaPart(Role.ASSISTANT, MediaKind.AUDIO, channel, len(data)))
    said.say_rest(channel, left_over(value, {"transcript", "data"}))


def _read_logprobs(value: JsonValue, path: str, said: Said, known: set[str]) -> None:
    """Log probabilities repeat the answer token by token: judged wherever they say more."""
    if not isinstance(value, dict):
        said.say(f"{path}.logprobs", text_of(value))
        return
    for name in ("content", "refusal"):
        tokens = [token for token in _list(value.get(name)) if isinstance(token, dict)]
        for variant in ("".join(map(_token, tokens)), _spelled(tokens)):
            if variant and variant not in known:
                said.say(f"{path}.logprobs.{name}", variant)
                known.add(variant)
        alternatives = [
            _token(other)
            for token in tokens
            for other in _list(token.get("top_logprobs"))
            if isinstance(other, dict) and _token(other) != _token(token)
        ]
        said.say(f"{path}.logprobs.{name}.top", " ".join(alternatives))
        for token in tokens:
            said.say_rest(
                f"{path}.logprobs",
                left_over(token, {"token", "logprob", "bytes", "top_logprobs"}),
            )
    said.say_rest(f"{path}.logprobs", left_over(value, {"content", "refusal"}))


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _token(entry: Mapping[str, JsonValue]) -> str:
    token = entry.get("token")
    return token if isinstance(token, str) else ""


def _spelled(entries: Iterable[Mapping[str, JsonValue]]) -> str:
    """What the `bytes` of all entries spell together."""
    codes = [code for entry in entries for code in _list(entry.get("bytes"))]
    octets = bytes(code for code in codes if isinstance(code, int) and 0 <= code <= 255)
    return octets.decode("utf-8", errors="replace")
