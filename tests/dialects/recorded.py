"""Recorded bodies of every dialect: `tests/wire/<dialect>/{requests,answers,streams}`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from guardproxy.dialects.base import Dialect, EventRead
from guardproxy.dialects.ndjson import LineDecoder
from guardproxy.errors import RequestError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from tests.dialects.bodies import CANARY, Json

WIRE = Path(__file__).parent.parent / "wire"
LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A dialect's recorded bodies, by name."""

    requests: dict[str, Json]
    answers: dict[str, Json]
    streams: dict[str, bytes]

    @property
    def events(self) -> list[Json]:
        """The JSON of all events of all streams."""
        events = [event for stream in self.streams.values() for event in events_in(stream)]
        data = [event.data for event in events if event.data is not None]
        return [json.loads(each) for each in data if each.strip() != "[DONE]"]


def recorded(dialect: Dialect) -> Recorded:
    folder = WIRE / dialect.name
    return Recorded(
        _values(folder / "requests"),
        _values(folder / "answers"),
        {file.stem: file.read_bytes() for file in sorted((folder / "streams").glob("*"))},
    )


def _values(folder: Path) -> dict[str, Json]:
    files = sorted(folder.glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def events_in(stream: bytes) -> list[ServerSentEvent]:
    # Lines of JSON, or server-sent events.
    kind = LineDecoder if stream.startswith(b"{") else EventDecoder
    decoder = kind(LIMITS.event_bytes)
    rest = [decoder.finish()] if not (events := decoder.feed(stream)) else []
    return [*events, *(event for event in rest if event is not None)]


def sent(value: Json) -> ServerSentEvent:
    """An event with this JSON, named after its type."""
    name = value.get("type") if isinstance(value, dict) else None
    named = name if isinstance(name, str) and "\n" not in name else ""
    return ServerSentEvent(data=json.dumps(value), event=named, raw=b"", extra=())


def request_texts(dialect: Dialect, body: Json) -> list[str] | None:
    """What is judged of a request; None if it is refused."""
    try:
        asked = dialect.read_request(json.dumps(body).encode(), LIMITS)
    except RequestError:
        return None
    return [part.text for part in asked.texts]


def answer_texts(dialect: Dialect, body: Json) -> list[str] | None:
    """What is judged of an answer; None if it is refused."""
    try:
        return [part.text for part in dialect.read_answer(json.dumps(body).encode(), LIMITS).texts]
    except UpstreamError:
        return None


def event_texts(dialect: Dialect, value: Json) -> list[str] | None:
    """What is judged of a stream's only event; None if it ends the stream."""
    try:
        return [piece.text for piece in dialect.open_stream(LIMITS).read(sent(value)).pieces]
    except UpstreamError:
        return None


def reads(dialect: Dialect, stream: bytes) -> list[EventRead]:
    reader = dialect.open_stream(LIMITS)
    return [reader.read(event) for event in events_in(stream)]


def channels(all_read: list[EventRead]) -> dict[str, str]:
    """Everything a stream said, by channel."""
    said: dict[str, str] = {}
    for read in all_read:
        for piece in read.pieces:
            said[piece.channel] = said.get(piece.channel, "") + piece.text
    return said


def heard(texts: list[str] | None) -> bool:
    return texts is None or any(CANARY in text for text in texts)
