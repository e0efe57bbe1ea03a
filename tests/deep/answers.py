"""Cases of answers: shape x split x fault, whole and streamed."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx

from guardproxy.dialects.base import Dialect
from tests.deep import bodies, channels
from tests.deep.bodies import Plan
from tests.deep.channels import Event
from tests.deep.guardrails import Ruled
from tests.deep.headers import answered
from tests.deep.hearing import heard
from tests.deep.policies import BUFFER, EXEMPT, HOLD, LIVE
from tests.deep.requests import DOORS, JSON_HEADER, RAW, ROUTES, RequestCase, path_of, plain_body
from tests.deep.turns import RESULTS, conversation
from tests.dialects.bodies import Json
from tests.dialects.recorded import WIRE, recorded

SSE, NDJSON = "text/event-stream", "application/x-ndjson"
DONE = "[DONE]"
HEAD = "in its head"
"""The sentence is in a header of the answer, and nowhere else."""
_LINES = re.compile(r"\r\n|\r|\n")
_FILLER = "It is sunny, and the bees are about. "


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded stream: the names and the data of its events."""

    kind: str
    events: tuple[tuple[str, str], ...]

    @property
    def values(self) -> list[tuple[str, Json]]:
        return [(name, json.loads(data)) for name, data in self.events if data.strip() != DONE]


def _recording(file: Path) -> Recording:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ndjson":
        return Recording(NDJSON, tuple(("", line) for line in text.splitlines() if line.strip()))
    events = []
    for block in re.split(r"(?:\r\n|\r|\n){2,}", text):
        named = dict[str, str](event="", data="")
        for line in _LINES.split(block):
            name, _, value = line.partition(":")
            if name in named:
                named[name] += value.removeprefix(" ")
        if named["data"]:
            events.append((named["event"], named["data"]))
    return Recording(SSE, tuple(events))


_DIALECTS = {dialect.name: dialect for dialect in DOORS.values()}
ANSWERS = {name: recorded(dialect).answers for name, dialect in _DIALECTS.items()} | {
    RAW.name: {"rerank": {"id": "r", "results": [{"index": 0, "document": {"text": "Sunny."}}]}}
}
STREAMS = {
    name: [_recording(file) for file in sorted((WIRE / name / "streams").glob("*"))]
    for name in _DIALECTS
} | {
    RAW.name: [
        Recording(
            SSE,
            (
                ("", '{"type": "text.delta", "delta": "It is", "id": "a"}'),
                ("", '{"type": "text.delta", "delta": " sunny.", "id": "a"}'),
                ("", '{"type": "done", "usage": {"tokens": 3}}'),
            ),
        )
    ]
}


@dataclass(frozen=True, slots=True)
class AnswerCase:
    """An answer to a clean request; `clean` ones must pass byte for byte."""

    asked: RequestCase
    mode: str
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    chunks: tuple[bytes, ...]
    fault: Exception | None
    clean: bool
    words: tuple[str, ...]
    song: str
    pieces: tuple[str, ...] = ()

    @property
    def in_head(self) -> bool:
        return HEAD in self.words

    def heard_in(self, body: bytes) -> bool:
        """Whether a client hears the sentence in what it got."""
        return heard(self.song, body, self.pieces)


def answer_case(seed: str) -> AnswerCase:
    """The case of a seed: nine in ten hold the sentence."""
    plan = Plan(Random(f"answer {seed}"))  # noqa: S311 - must be repeatable, not secret
    route = plan.rng.choice(ROUTES)
    dialect = DOORS[route]
    plan.says(dialect.name)
    clean = plan.chance(0.1)
    if STREAMS[dialect.name] and plan.chance(0.7):
        kind, data = _stream(plan, dialect, clean=clean)
    else:
        kind, data = "application/json", _whole(plan, dialect, clean=clean)
    status, headers, fault = 200, [(b"content-type", kind.encode())], None
    if not clean and HEAD not in plan.words:
        status, headers, data, fault = _faulty(plan, kind, data)
    elif not clean:
        headers = list(answered(plan, kind))
    mode = plan.rng.choice((HOLD, HOLD, BUFFER, LIVE, EXEMPT))
    plan.says(mode)
    return AnswerCase(
        _asked(plan, route, mode), mode, status, tuple(headers), _reads(plan, data), fault, clean,
        tuple(plan.words), plan.song, tuple(plan.pieces),
    )  # fmt: skip


def _asked(plan: Plan, route: str, mode: str) -> RequestCase:
    """A request that passes, whatever its answer; perhaps one that exempts what the answer says."""
    body = plain_body(plan.rng, DOORS[route])
    form = RESULTS.get(DOORS[route].name)
    found = conversation(body)
    if mode == EXEMPT and form is not None and found is not None:
        song = plan.song or "sunny"
        pieces = [song, *plan.pieces, *bodies.cut(plan, song, 4)]
        found[1][:0] = [form(piece) for piece in pieces]
    ruling = Ruled(mode, clean=True)
    data = json.dumps(body).encode("utf-8", "surrogatepass")
    return RequestCase(
        "POST", path_of(plan.rng, route), b"", (JSON_HEADER,), (data,), ruling, (), ""
    )


def _reads(plan: Plan, data: bytes) -> tuple[bytes, ...]:
    """The data as the network hands it over."""
    match plan.rng.choice(("whole", "events", "small", "any", "any")):
        case "whole":
            return (data,)
        case "events":
            return tuple(re.findall(rb".*?\n\n|.+\Z", data, re.DOTALL))
        case "small" if len(data) < 1_500:
            size = plan.rng.choice((1, 2, 3, 7))
            return tuple(data[at : at + size] for at in range(0, len(data), size))
        case _:
            cuts = sorted(plan.rng.randrange(len(data) + 1) for _ in range(5))
            return tuple(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))


# ---- whole answers ----------------------------------------------------------------------------


def _whole(plan: Plan, dialect: Dialect, *, clean: bool) -> bytes:
    recordings = ANSWERS[dialect.name]
    body = bodies.copied(recordings[plan.rng.choice(sorted(recordings))])
    if clean:
        return bodies.written(plan, body).encode()
    plan.says("whole")
    if plan.chance(0.05):
        plan.says(HEAD)
        return bodies.written(plan, body).encode()
    if plan.chance(0.1) and (forms := channels.WHOLE.get(dialect.name)):
        return bodies.written(plan, channels.whole(plan, forms)).encode()
    if plan.chance(0.05):
        return plan.sing(in_text=True).encode(plan.rng.choice(("utf-8", "utf-16")))
    bodies.put(plan, body)
    text = bodies.written(plan, body)
    return bodies.tricked(plan, text) if plan.chance(0.2) else text.encode()


# ---- streams ----------------------------------------------------------------------------------


def _stream(plan: Plan, dialect: Dialect, *, clean: bool) -> tuple[str, bytes]:
    recording = plan.rng.choice(STREAMS[dialect.name])
    events = recording.values
    if not clean and plan.chance(0.04):
        plan.says("stream", HEAD)
    elif not clean:
        plan.says("stream")
        form = plan.rng.choice((_split, _split, _split, _one_event, _in_a_frame))
        if form is _in_a_frame and recording.kind == SSE:
            return recording.kind, _in_a_frame(plan, recording)
        events = (_one_event if form is _one_event else _split)(plan, events)
    frame = _frame(plan, recording.kind, clean=clean)
    blocks = [frame(plan, name, value) for name, value in events]
    if recording.events[-1][1].strip() == DONE:
        blocks.append(f"data: {DONE}\n\n")
        if not clean and plan.chance(0.05):
            plan.says("after the end")
            blocks.append(frame(plan, *plan.rng.choice(events)))
    return recording.kind, _encoded("".join(blocks))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _one_event(plan: Plan, events: list[Event]) -> list[Event]:
    """The sentence in one event, anywhere in it."""
    at = plan.rng.randrange(len(events))
    name, value = events[at][0], bodies.copied(events[at][1])
    plan.says("one event")
    bodies.put(plan, value)
    return [*events[:at], (name, value), *events[at + 1 :]]


def _split(plan: Plan, events: list[Event]) -> list[Event]:
    """The sentence over events, each a copy of a recorded one with a piece in its text."""
    speaking = [at for at, (_, value) in enumerate(events) if _is_delta(value)]
    if not speaking:
        return _one_event(plan, events)
    if plan.chance(0.2) and (sung := channels.over_deltas(plan, events, speaking)) is not None:
        return sung
    at = plan.rng.choice(speaking)
    name, template = events[at]
    place = plan.rng.randrange(len(bodies.text_places(template)))
    channel = plan.rng.choice((None, None, None, "x_unknown", "reasoning", "refusal", "text"))
    plan.says("over events", str(bodies.text_places(template)[place][1]), f"field {channel}")
    song = plan.sing(in_text=True)
    if plan.chance(0.15):
        song = bodies.folded(plan, song)
    text = f"{_filler(plan)} {song} {_filler(plan)}"
    choice = plan.rng.choice((None, None, 0, 1, 3)) if "choices" in template else None
    pieces: list[Event] = []
    for piece in bodies.cut(plan, text, most=plan.rng.choice((1, 2, 5, 20))):
        pieces.append((name, _speaking(template, place, piece, channel, choice)))
        if choice is not None and plan.chance(0.3):
            pieces.append((name, _speaking(template, place, "Well.", None, choice + 1)))
    return [*events[:at], *pieces, *events[at + 1 :]]


def _is_delta(value: Json) -> bool:
    """Adds text to what came before: no snapshot, which would replace it, and no sound."""
    kind = str(value.get("type", "delta")) if isinstance(value, dict) else ""
    return "delta" in kind and kind != "response.audio.delta" and bool(bodies.text_places(value))


def _filler(plan: Plan) -> str:
    return _FILLER * plan.rng.choice((0, 0, 1, 3, 30, 80))


def _speaking(
    template: Json, place: int, piece: str, channel: str | None, choice: int | None
) -> Json:
    """A copy of an event that says a piece, there or in a field beside it."""
    value = bodies.copied(template)
    container, key = bodies.text_places(value)[place]
    if channel is None or isinstance(container, list):
        container[key] = piece
    else:
        container[key] = ""
        container[channel] = piece
    choices = value.get("choices") if isinstance(value, dict) else None
    if choice is not None and isinstance(choices, list) and choices:
        choices[0]["index"] = choice
    return value


class _frame:  # noqa: N801 - called like the function it stands for
    """Writes events, all in one way: line ends, spaces, names."""

    def __init__(self, plan: Plan, kind: str, *, clean: bool) -> None:
        self._kind = kind
        self._end = plan.rng.choice(("\n", "\n", "\r\n", "\r"))
        self._colon = plan.rng.choice((": ", ": ", ":"))
        self._lines = not clean and plan.chance(0.1)
        self._comments = plan.chance(0.1)
        self._escaped = plan.chance(0.2)
        self._ascii = plan.chance(0.5)

    def __call__(self, plan: Plan, name: str, value: Json) -> str:
        text = json.dumps(value, ensure_ascii=self._ascii, indent=1 if self._lines else None)
        if self._escaped:
            text = bodies.escaped(plan, text)
        if self._kind == NDJSON:
            return text.replace("\n", "") + "\n"
        lines = [f"event{self._colon}{name}"] if name else []
        lines += [f"data{self._colon}{line}" for line in text.split("\n")]
        if self._comments:
            lines.insert(0, ": keep-alive")
        return self._end.join([*lines, "", ""])


def _in_a_frame(plan: Plan, recording: Recording) -> bytes:
    """The sentence where events have no data: comments, ids, names, unknown fields, raw data."""
    form = plan.rng.choice(
        (": {}", "id: {}", "retry: {}", "event: {}", "{}", "x: {}", "data: {}", "data:{}",
         "event: {}\nevent: message", 'data: "{}"', 'data: ["{}"]', "data: x{}")
    )  # fmt: skip
    plan.says(f"frame {form!r}")
    song = plan.sing().strip().replace("\n", " ")
    if '"' in form:
        song = json.dumps(song)[1:-1]
    whole = '"' in form or not form.startswith((":", "id", "event", "data"))
    pieces = [song] if whole or plan.chance(0.7) else bodies.cut(plan, song, 3)
    at = plan.rng.randrange(len(recording.events) + 1)
    blocks = [
        (f"event: {name}\n" if name else "") + f"data: {data}\n\n"
        for name, data in recording.events
    ]
    blocks[at:at] = [form.replace("{}", piece) + "\n\n" for piece in pieces]
    return _encoded("".join(blocks))


# ---- faults -----------------------------------------------------------------------------------

_TYPES = (
    b"text/event-stream", b"text/event-stream; charset=utf-8", b"application/json", b"text/plain",
    b"application/x-ndjson", b"application/octet-stream", b"text/html", b"", b"TEXT/EVENT-STREAM",
    b"application/json; charset=utf-16", b"text/event-stream; charset=utf-7", b"image/png",
)  # fmt: skip
_STATUSES = (201, 202, 204, 301, 302, 304, 400, 401, 404, 408, 429, 500, 502, 503, 599)


def _faulty(
    plan: Plan, kind: str, data: bytes
) -> tuple[int, list[tuple[bytes, bytes]], bytes, Exception | None]:
    status, fault = 200, None
    headers = [(b"content-type", kind.encode())]
    if plan.chance(0.1):
        status = plan.rng.choice(_STATUSES)
        headers.append((b"location", b"http://evil.example/"))
        plan.says(str(status))
    if plan.chance(0.12):
        headers[0] = (b"content-type", plan.rng.choice(_TYPES))
        plan.says(headers[0][1].decode())
    if plan.chance(0.03):
        plan.says("coded")
        headers.append((b"content-encoding", b"gzip"))
        data = gzip.compress(data) if plan.chance(0.5) else data
    if plan.chance(0.2):
        data, fault = _damaged(plan, data)
    return status, headers, data, fault


def _damaged(plan: Plan, data: bytes) -> tuple[bytes, Exception | None]:
    at = plan.rng.randrange(len(data) + 1)
    block = data.find(b"\n\n", at) + 2
    damages: dict[str, tuple[bytes, Exception | None]] = {
        "reset": (data[:at], httpx.ReadError("reset")),
        "truncated": (data[:at], None),
        "no blank line": (data.rstrip(b"\r\n"), None),
        "not UTF-8": (data[:at] + b"\xff\xfe" + data[at:], None),
        "garbage": (data[:block] + b"data: {what is this\n\n" + data[block:], None),
        "too large": (data + b"data: " + b"x" * 70_000 + b"\n\n", None),
        "nul": (data[:at] + b"\0" + data[at:], None),
        "no data": (data.replace(b"data:", b"DATA:", 1), None),
        "data without colon": (data.replace(b"data:", b"data\n", 1), None),
        "blank line": (data.replace(b"data:", b"\ndata:", 1), None),
    }
    name = plan.rng.choice(list(damages))
    plan.says(name)
    return damages[name]
