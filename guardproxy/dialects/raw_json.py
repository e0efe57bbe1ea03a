"""Any JSON route that no dialect knows: every string in it is text, both ways.

For routes that a policy lists under `passthrough`. Nothing is structure here, since nobody said
what is; so ids and enum values are judged as well. What stands at one path but for its positions
in lists (`parts[0].text`, `parts[1].text`) may be shown, or read, as one text: so it is judged
joined as well, without a separator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from guardproxy.content import MediaKind, MediaPart, Role, TextPart
from guardproxy.dialects import openai_shape
from guardproxy.dialects.answer_reader import DONE, value_of
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Piece, Refusal
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.elsewhere import named_in, reads_elsewhere
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import (
    embedded_media,
    everything_in,
    is_json,
    is_token,
    plain_text,
    text_leaves,
)
from guardproxy.dialects.media_clues import clued_media
from guardproxy.dialects.seams import Seams
from guardproxy.dialects.shape import without_positions
from guardproxy.errors import RequestError, UpstreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.policy.scope import JOINED
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue, read
from guardproxy.verdict import Verdict

# An id that every event repeats says nothing new; a short piece of text may well be repeated.
_ID_LENGTH = 16


class RawJson:
    """Fits `Dialect`."""

    name = "raw_json"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        value = None
        if body:
            value = read(body, depth=limits.json_depth, members=limits.json_members)
        return Asked(
            texts=tuple(_texts(value, Role.USER)),
            media=(*_media(value, Role.USER, addresses=True), *_elsewhere(value)),
            stream=False,
            guardrails=None,
            guardrails_present=False,
            body=body,
        )

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        if not body.strip():
            return Answered(())
        if not is_json(body):
            return Answered((TextPart(Role.ASSISTANT, plain_text(body), "$"),))
        try:
            value = read(body, depth=limits.json_depth, members=limits.answer_bytes)
        except RequestError as error:
            raise UpstreamError(f"the answer cannot be read safely: {error.code}") from error
        return Answered(tuple(_texts(value, Role.ASSISTANT)), _media(value, Role.ASSISTANT))

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> RawStream:
        return RawStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return openai_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return openai_shape.error_body(fault)


class RawStream:
    """Fits `StreamReader`: each JSON path of the events is a channel of its own.

    The positions of one list are read together as well, across events: with nothing between them,
    and in lines where one event has several.
    """

    keep_alive = openai_shape.KEEP_ALIVE

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frame = Frame()
        self._said: dict[str, str] = {}
        self._seams = Seams(without_positions)

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        pieces = [*self._frame.read(event)]
        data = event.data
        if data is None or data.strip() == DONE:
            return EventRead(tuple(pieces), last=data is not None)
        said = Said()
        value = value_of(data, self._limits, said)
        pieces += said.pieces
        pieces += self._seams.read(new := list(self._new(value)))
        return EventRead((*pieces, *_lines(new)), _media(value, Role.ASSISTANT))

    def _new(self, value: JsonValue) -> Iterator[Piece]:
        for path, text in text_leaves(value, without_media=True):
            repeated = self._said.get(path) == text and len(text) >= _ID_LENGTH and is_token(text)
            self._said[path] = text
            if not repeated:
                yield Piece(path, text)

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        del finished  # nobody knows choices here
        error = {
            "message": guardrail_body.BLOCKED_MESSAGE,
            "type": guardrail_body.BLOCKED_TYPE,
            "param": None,
            "code": guardrail_body.BLOCKED_TYPE,
        }
        return openai_shape.event(
            {"error": error, "guardrails": guardrail_body.block_summary(verdict)}
        )

    def failed(self, message: str) -> bytes:
        return openai_shape.stream_fault(message)


def _texts(value: JsonValue, role: Role) -> Iterator[TextPart]:
    pieces = [Piece(path, text) for path, text in text_leaves(value, without_media=True)]
    if not pieces:
        return
    yield TextPart(role, "\n".join(piece.text for piece in pieces), "$")
    seams = Seams(without_positions)
    around: dict[str, list[str]] = {}
    for seam in filter(None, map(seams.after, pieces)):
        around.setdefault(seam.channel, []).append(seam.text)
    for joined in around.values():
        yield TextPart(role, "".join(joined), f"${JOINED}$")


def _lines(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """What one event says at several positions of a list, as a whole answer's text has it."""
    together: dict[str, list[str]] = {}
    for path, text in pieces:
        together.setdefault(without_positions(path), []).append(text)
    for name, texts in together.items():
        if len(texts) > 1:
            yield Piece(f"{name}.lines", "\n".join((*texts, "")))


def _elsewhere(value: JsonValue) -> Iterator[MediaPart]:
    """What a body and its tools name that is not in it."""
    if isinstance(value, dict):
        tools = [value[key] for key in value if key.casefold() == "tools"]
        found = [named for _, named in named_in(value)] + [*filter(reads_elsewhere, tools)]
        for named in found:
            yield MediaPart(Role.USER, MediaKind.FILE, "$", len(everything_in(named)))


def _media(value: JsonValue, role: Role, *, addresses: bool = False) -> tuple[MediaPart, ...]:
    clued = [(each.kind, len(each.text)) for each in clued_media(value, addresses=addresses)]
    return tuple(MediaPart(role, kind, "$", size) for kind, size in embedded_media(value) + clued)
