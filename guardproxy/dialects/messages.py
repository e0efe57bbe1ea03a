"""`POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages, whole and streamed."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from guardproxy.dialects import anthropic_shape, messages_request
from guardproxy.dialects.answer_reader import read_whole, value_of
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Piece, Refusal
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import is_token, left_over
from guardproxy.dialects.messages_said import SHAPE, read_block, read_message, said_in
from guardproxy.dialects.rest import Rest
from guardproxy.dialects.seams import Seams
from guardproxy.dialects.shape import ShapedSaid, without_positions
from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.dialects.unfolding import Unfolding
from guardproxy.errors import StreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Verdict

_STOPPED = "message_stop"
_MOST_STEPS = 4_096
"""Beginnings and ends of blocks; answers with citations have some hundred."""
_EVENT_APART = frozenset({"message", "content_block", "delta"})
_BLOCK = named("type", "text", "thinking", "name", "input", "partial_json", "citations")
_FIELDS = named(
    "type", "index",
    message=named(content=_BLOCK), content_block=_BLOCK, delta=_BLOCK | named("stop_reason"),
)  # fmt: skip


class Messages:
    """Fits `Dialect`."""

    name = "messages"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return messages_request.read_request(body, limits)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(body, limits, said_in)

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> MessagesStream:
        return MessagesStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return anthropic_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return anthropic_shape.error_body(fault)


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a client is that has read up to some event."""

    begun: bool = False
    open_block: int | None = None


class MessagesStream:
    """Reads one stream of events; fits `StreamReader`.

    Events that begin or end something are numbered in `EventRead.finished`, so that our own end
    closes what its client has seen open.
    """

    keep_alive = b'event: ping\ndata: {"type": "ping"}\n\n'

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head = {"id": "msg_guardproxy", "model": "unknown"}
        self._output_tokens = 0
        self._block = -1
        self._progress: list[_Progress] = []
        self._frame = Frame()
        self._rest = Rest()
        self._seams = Seams()
        self._unfoldings: dict[int, Unfolding] = {}

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = ShapedSaid(shape=SHAPE)
        value = None
        if event.data is not None:
            value = value_of(event.data, self._limits, said)
            check_spelling(value, _FIELDS)
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and is_token(kind) and event.event == kind:
            event = dataclasses.replace(event, event="")
        said.pieces += self._frame.read(event)
        if not isinstance(value, dict):
            said.say_rest("$", value)
            return EventRead(tuple(self._rest.read(said)), tuple(said.media))
        unfolded = tuple(self._read_event(value, said))
        pieces = (*self._seams.read(self._rest.read(said)), *unfolded)
        # Blocks come one after the other, and an answer with citations has hundreds.
        return EventRead(
            tuple(Piece(without_positions(each.channel), each.text) for each in pieces),
            tuple(said.media),
            self._remember(value),
            closing=_has_stop_reason(value.get("delta")),
            last=kind == _STOPPED,
        )

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        seen = self._progress[max(finished)] if finished else _Progress()
        events: list[dict[str, object]] = []
        if not seen.begun:
            events.append({"type": "message_start", "message": self._empty_message()})
        if seen.open_block is not None:
            events.append({"type": "content_block_stop", "index": seen.open_block})
        details = {
            "type": "refusal",
            "category": None,
            "explanation": guardrail_body.BLOCKED_MESSAGE,
        }
        events += [
            {
                "type": "message_delta",
                "delta": {
                    "stop_reason": "refusal",
                    "stop_sequence": None,
                    "stop_details": details,
                },
                "usage": {"output_tokens": self._output_tokens},
                "guardrails": guardrail_body.block_summary(verdict),
            },
            {"type": _STOPPED},
        ]
        return b"".join(anthropic_shape.event(each) for each in events)

    def failed(self, message: str) -> bytes:
        return anthropic_shape.stream_fault(message)

    def _empty_message(self) -> dict[str, object]:
        return {
            **self._head,
            "type": "message",
            "role": "assistant",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }

    def _read_event(self, value: Mapping[str, JsonValue], said: ShapedSaid) -> Iterator[Piece]:
        """Collects what an event says; gives what escapes in a tool's arguments hide."""
        if (message := value.get("message")) is not None:
            read_message(message, said)
        said.say_rest("$", left_over(value, _EVENT_APART))
        if value.get("index") is None:
            # What changes the message, not a block of it.
            for field in ("content_block", "delta"):
                said.say_rest("$", value.get(field))
            return
        index = self._index(value["index"])
        for field in ("content_block", "delta"):
            if (block := value.get(field)) is None:
                continue
            read_block(block, index, said)
            arguments = block.get("partial_json") if isinstance(block, dict) else None
            if isinstance(arguments, str):
                channel = f"content[{index}].input"
                yield from self._unfoldings.setdefault(index, Unfolding(channel)).read(arguments)

    def _index(self, index: JsonValue) -> int:
        """The block an event is about. Blocks come one after the other, so one text is enough."""
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index >= self._block:
            raise StreamError("a content block of the stream has an index that cannot be")
        if index > self._block:
            self._block = index
            self._unfoldings.clear()
        return index

    def _remember(self, value: Mapping[str, JsonValue]) -> tuple[int, ...]:
        """Keeps what our own end needs; returns the event's number if it begins or ends one."""
        self._remember_head(value.get("message"))
        self._remember_usage(value)
        before = self._progress[-1] if self._progress else _Progress()
        match value.get("type"), value.get("index"):
            case "message_start", _:
                after = _Progress(begun=True)
            case "content_block_start", int(index):
                after = _Progress(before.begun, index)
            case "content_block_stop", _:
                after = _Progress(before.begun)
            case _:
                return ()
        if len(self._progress) >= _MOST_STEPS:
            raise StreamError("the stream has too many content blocks")
        self._progress.append(after)
        return (len(self._progress) - 1,)

    def _remember_head(self, holder: JsonValue) -> None:
        if not isinstance(holder, dict):
            return
        for key in self._head:
            if isinstance(seen := holder.get(key), str) and seen and is_token(seen):
                self._head[key] = seen
        self._remember_usage(holder)

    def _remember_usage(self, holder: Mapping[str, JsonValue]) -> None:
        usage = holder.get("usage")
        tokens = usage.get("output_tokens") if isinstance(usage, dict) else None
        if isinstance(tokens, int) and not isinstance(tokens, bool):
            self._output_tokens = tokens


def _has_stop_reason(delta: JsonValue) -> bool:
    return isinstance(delta, dict) and delta.get("stop_reason") is not None
