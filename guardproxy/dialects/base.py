"""What every chat API has in common, as the proxy sees it. Dialects fit `Dialect` by shape."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from guardproxy.content import MediaPart, TextPart
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, read: what is to be judged, and the bytes that may go upstream.

    `guardrails` is the caller's inline array as it came, None if it is null or absent;
    `guardrails_present` tells these apart. `stored` is the path of a reference to text that is
    stored upstream and so not in the body.
    """

    texts: tuple[TextPart, ...]
    media: tuple[MediaPart, ...]
    stream: bool
    guardrails: JsonValue
    guardrails_present: bool
    body: bytes
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, read."""

    texts: tuple[TextPart, ...]
    media: tuple[MediaPart, ...] = ()


class Piece(NamedTuple):
    """Some text of a stream; `channel` names what it continues, e.g. `choices[0].content`."""

    channel: str
    text: str


@dataclass(frozen=True, slots=True)
class EventRead:
    """What one event of a stream holds.

    `finished` are the choices that end with it, or whatever numbers tell the reader later how far
    its client has come; `closing` means that a client may take the answer, or a choice of it, for
    whole; `last` that nothing may follow.
    """

    pieces: tuple[Piece, ...] = ()
    media: tuple[MediaPart, ...] = ()
    finished: tuple[int, ...] = ()
    closing: bool = False
    last: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong and has nothing to do with a verdict.

    `kind` is OpenAI's error type (`invalid_request_error`, ...), `code` our short reason, `param`
    the JSON path or header it is about.
    """

    status: int
    message: str
    kind: str
    param: str | None
    code: str

    @property
    def told(self) -> str:
        """The message with its place, once, for whoever reads nothing else."""
        if not self.param or self.message.startswith(f"{self.param} "):
            return self.message
        return f"{self.param}: {self.message}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A block before the first byte, in the API's own words."""

    status: int
    body: bytes


class Decoder(Protocol):
    """Cuts the bytes of a stream into events, losing none."""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]: ...

    def finish(self) -> ServerSentEvent | None: ...


class StreamReader(Protocol):
    """Reads one stream; knows enough of it to end it in its own words."""

    @property
    def keep_alive(self) -> bytes:
        """Bytes that every client of the API ignores; empty if there are none."""
        ...

    def decoder(self) -> Decoder: ...

    def read(self, event: ServerSentEvent) -> EventRead:
        """What the event says.

        Raises:
            StreamError: the event cannot be read safely; the stream must end here.
        """
        ...

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        """The bytes that end the stream for a guardrail.

        `finished` holds what `EventRead.finished` said of all events that have left.
        """
        ...

    def failed(self, message: str) -> bytes:
        """The bytes that end the stream for a fault, so that it does not look complete."""
        ...


class Dialect(Protocol):
    """One chat API. Pure: bytes in, values out."""

    @property
    def name(self) -> str: ...

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        """Everything in a request body.

        Raises:
            RequestError: the body is malformed, over a limit, or holds what nobody can judge.
        """
        ...

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        """Everything in an answer's body, an error answer's too; what is not JSON is text."""
        ...

    def is_stream(self, content_type: str) -> bool:
        """Whether an answer of this media type is a stream of events."""
        ...

    def open_stream(self, limits: Limits) -> StreamReader: ...

    def refusal(self, verdict: Verdict) -> Refusal:
        """What a blocked exchange is told, as long as nothing of its answer has left."""
        ...

    def error_body(self, fault: Fault) -> bytes:
        """What any other refusal or fault is told."""
        ...
