"""Recorded bodies of chat completions, and places in them where somebody could put a text."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, TypeAlias

from hypothesis import strategies as st

Json: TypeAlias = Any
"""What `json.loads` gives."""

WIRE = Path(__file__).parent.parent / "wire" / "chat_completions"
REQUESTS: dict[str, Json] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((WIRE / "requests").glob("*.json"))
}
ANSWERS: dict[str, Json] = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((WIRE / "answers").glob("*.json"))
}
STREAMS: dict[str, bytes] = {
    file.stem: file.read_bytes() for file in sorted((WIRE / "streams").glob("*.sse"))
}

CANARY = "the canary sings of something forbidden"
"""A sentence: no id, no address, no medium."""
SONGS = (
    CANARY,
    f"data: {CANARY}",
    f"data:text/plain,{CANARY}",
    f"data:image/png;base64,{CANARY}",
    f"https://example.com {CANARY}",
    f"  {CANARY}\n",
)
FIELDS = (
    "content", "text", "name", "role", "type", "id", "refusal", "reasoning", "reasoning_content",
    "thinking", "audio", "transcript", "data", "url", "image_url", "file", "file_id", "detail",
    "format", "function", "custom", "arguments", "input", "tool_calls", "function_call", "index",
    "logprobs", "token", "bytes", "top_logprobs", "message", "delta", "finish_reason", "model",
    "user", "stop", "metadata", "tool_choice", "logit_bias", "signature", "obfuscation", "error",
    "documents", "x_unknown", "ключ", "a key with spaces", "",
)  # fmt: skip


def events_of(stream: bytes) -> list[Json]:
    """The JSON values of a recorded stream."""
    lines = stream.decode().replace("\r\n", "\n").split("\n")
    data = [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]
    return [json.loads(each) for each in data if each != "[DONE]"]


def places(value: Json) -> list[tuple[Json, Json]]:
    """Every (container, key) below a value."""
    found, pending = [], [value]
    while pending:
        node = pending.pop()
        members = node.items() if isinstance(node, dict) else enumerate(node)
        for key, member in list(members):
            found.append((node, key))
            if isinstance(member, dict | list):
                pending.append(member)
    return found


@st.composite
def wrapped(draw: st.DrawFn) -> Json:
    """A song, on its own or somewhere inside."""
    value: Json = draw(st.sampled_from(SONGS))
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.sampled_from(FIELDS))
        forms = [[value], {key: value}, ["x", value], {"type": key, key: value}]
        value = draw(st.sampled_from(forms))
    return draw(st.sampled_from([value, value, {CANARY: 1}, {CANARY: value}]))


@st.composite
def with_canary(draw: st.DrawFn, bodies: list[Json]) -> Json:
    """One of the bodies, with a song at some place: in another's stead, or in a new field."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    container, key = draw(st.sampled_from(places(body)))
    song = draw(wrapped())
    if isinstance(container, list) and draw(st.booleans()):
        container.append(song)
    elif isinstance(container, dict) and draw(st.booleans()):
        container[draw(st.sampled_from(FIELDS))] = song
    else:
        container[key] = song
    return body
