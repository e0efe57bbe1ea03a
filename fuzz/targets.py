"""What is fuzzed: each target takes any bytes, and raises only if something is wrong.

A target's name is its folder in `fuzz/corpus`. The tests replay the corpus; `make fuzz` looks for
more of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from types import MappingProxyType

from guardproxy import strict_json
from guardproxy.dialects.base import Dialect
from guardproxy.dialects.raw_json import RawJson
from guardproxy.dialects.routes import GUARDED
from guardproxy.errors import PolicyError, RequestError, StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.policy.inline import read_inline
from guardproxy.policy.load import load_policy_text
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue

LIMITS = Limits(event_bytes=4_096, json_members=2_000)
DIALECTS: dict[str, Dialect] = {each.name: each for each in (*GUARDED.values(), RawJson())}

Target = Callable[[bytes], None]


def events(data: bytes) -> None:
    """Any cutting of the bytes gives the same events, and every byte is in one of them."""
    whole, whole_raw = _decoded([data])
    size = max(1, len(data) // 40)
    cut, cut_raw = _decoded([data[at : at + size] for at in range(0, len(data), size)])
    if whole != cut:
        raise AssertionError("events depend on how the bytes are cut")
    if whole_raw is not None and not whole_raw == cut_raw == data:
        raise AssertionError("the events do not hold the bytes that came")


def _decoded(chunks: list[bytes]) -> tuple[list[tuple[object, ...]], bytes | None]:
    """The events up to the first fault, and their bytes if there is none."""
    decoder = EventDecoder(4_096)
    found: list[ServerSentEvent] = []
    sound = True
    try:
        for chunk in chunks:
            found += decoder.feed(chunk)
        if (rest := decoder.finish()) is not None:
            found.append(rest)
    except StreamError:
        sound = False
    raw = b"".join(event.raw for event in found) if sound else None
    # A late LF may stand alone after the last event; it says nothing.
    said = [(event.data, event.event, event.extra) for event in found]
    return [each for each in said if any(each)], raw


def strict_reader(data: bytes) -> None:
    """What is accepted, Python's own reader reads as the same value, and nothing is lost by it."""
    try:
        value = strict_json.read(data, depth=LIMITS.json_depth, members=LIMITS.json_members)
    except RequestError:
        return
    if not same(value, json.loads(data)):
        raise AssertionError("another reader reads another value")
    written = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if not same(value, json.loads(written)):
        raise AssertionError("the value does not survive being written")
    if isinstance(value, dict):
        _cut_members(data, value)


def _cut_members(data: bytes, value: dict[str, JsonValue]) -> None:
    for key in list(value)[:4]:
        left = json.loads(strict_json.without_member(data, key))
        if left != {name: member for name, member in value.items() if name != key}:
            raise AssertionError("cutting a member out changed others")
    if "guardrails" not in value:
        put = json.loads(strict_json.with_member(data, "guardrails", b"[]"))
        if not same({**value, "guardrails": []}, put):
            raise AssertionError("putting a member in changed others")


def same(one: JsonValue, other: JsonValue) -> bool:
    """Equal, with the same types: 1 is not 1.0 and not true."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def dialect_target(dialect: Dialect) -> Target:
    """Requests, answers and streams of one dialect raise nothing but our own errors."""

    def target(data: bytes) -> None:
        with suppress(RequestError):
            dialect.read_request(data, LIMITS)
        with suppress(UpstreamError):
            dialect.read_answer(data, LIMITS)
        reader = dialect.open_stream(LIMITS)
        decoder = reader.decoder()
        with suppress(StreamError):
            for event in decoder.feed(data):
                reader.read(event)
            if (rest := decoder.finish()) is not None:
                reader.read(rest)

    return target


def policy(data: bytes) -> None:
    """A policy file is loaded, or refused with its reason."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    try:
        loaded = load_policy_text(text, "fuzz.yaml")
    except PolicyError as error:
        if not error.message or "\n" in str(error).strip():
            raise AssertionError("a refusal is not one line with its reason") from error
        return
    loaded.config.model_dump_json()


def inline(data: bytes) -> None:
    """Inline guardrails are read, or refused."""
    with suppress(RequestError):
        read_inline(strict_json.read(data, depth=LIMITS.json_depth, members=LIMITS.json_members))


TARGETS = MappingProxyType[str, Target](
    {
        "events": events,
        "strict_json": strict_reader,
        "policy": policy,
        "inline": inline,
        **{name: dialect_target(dialect) for name, dialect in DIALECTS.items()},
    }
)
