"""Streams of OpenAI's Responses: named, numbered events that say every text several times."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import openai_shape
from guardproxy.dialects.answer_reader import DONE, value_of
from guardproxy.dialects.base import EventRead, Piece
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import is_payload, is_token, left_over, unfolded
from guardproxy.dialects.order import Order, number_of
from guardproxy.dialects.repeats import ECHOED, Repeats
from guardproxy.dialects.responses_said import (
    SHAPE,
    SPOKEN,
    read_item,
    read_part,
    read_response,
    say_logprobs,
)
from guardproxy.dialects.rest import Lines
from guardproxy.dialects.seams import Seams
from guardproxy.dialects.shape import ShapedSaid, without_positions
from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.dialects.unfolding import Unfolding
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Verdict

_CREATED = "response.created"
_CLOSING = frozenset({"response.completed", "response.incomplete", "response.failed"})
_DELTA = re.compile(r"response\.(?P<name>[a-z_.]{1,64})\.delta")
_DELTAS = frozenset(
    {
        "output_text", "refusal", "function_call_arguments", "custom_tool_call_input",
        "mcp_call_arguments", "reasoning_text", "reasoning_summary_text", "reasoning",
        "reasoning_summary", "audio.transcript", "code_interpreter_call_code",
        "shell_call_command", "shell_call_output_content",
    }
)  # fmt: skip
_FOLDED = frozenset({"function_call_arguments", "custom_tool_call_input", "mcp_call_arguments"})
"""JSON in a string: whoever decodes it reads what its escapes hide."""
_OUTPUTS = frozenset({"stdout", "stderr"})
_WHOLE = re.compile(
    r"response\.(?:created|queued|in_progress|completed|incomplete|failed|[a-z_.]+\.(?:done|added))"
)
"""Events that hold whole texts, most of them once more."""
_INDEXES = (
    ("output_index", "output"),
    ("content_index", "content"),
    ("summary_index", "summary"),
    ("command_index", "command"),
)
_TEXTS = {
    "output_text": "text", "refusal": "refusal", "reasoning_text": "reasoning_text",
    "reasoning": "reasoning_text", "reasoning_summary_text": "text", "reasoning_summary": "text",
}  # fmt: skip
"""Deltas of what clients show, by what the whole text is called: each kind comes in order."""
_JOINED = {
    "output_text": "output_text", "reasoning_text": "output_text",
    "reasoning_summary_text": "summary_text", "reasoning_summary": "summary_text",
}  # fmt: skip
"""Deltas by the text that their wholes make together."""
_TOGETHER = {
    "output_text": SPOKEN,
    "summary_text": re.compile(r"output\[-?\d+\]\.summary\[-?\d+\]\.text"),
}
_SHOWN = re.compile(r"(?P<place>output\[-?\d+\]\.(?:content|summary)\[-?\d+\])\.(?:text|refusal)")
_FIELDS = named(
    "type", "delta", "text", "refusal", "arguments", "item_id", "item", "part", "response",
    *(field for field, _ in _INDEXES),
)  # fmt: skip
_EVENT_APART = frozenset({"response", "item", "part", "delta", "logprobs"})


class ResponsesStream:
    """Fits `StreamReader`.

    Each text has a channel named after its item and part.
    """

    keep_alive = openai_shape.KEEP_ALIVE

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head: dict[str, JsonValue] = {
            "id": "resp_guardproxy",
            "created_at": 0,
            "model": "unknown",
        }
        self._sequence = -1
        self._frame = Frame()
        self._repeats = Repeats()
        self._echoes = Repeats()
        self._seams = Seams()
        self._order = Order()
        self._lines = Lines()
        self._unfoldings: dict[str, Unfolding] = {}

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = ShapedSaid(shape=SHAPE)
        if event.data is not None and event.data.strip() == DONE:
            return EventRead(tuple(self._frame.read(event)), last=True)
        value = None
        if event.data is not None:
            value = value_of(event.data, self._limits, said)
            check_spelling(value, _FIELDS)
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and is_token(kind) and event.event == kind:
            event = dataclasses.replace(event, event="")
        frame = (*self._frame.read(event), *said.pieces)
        said.pieces.clear()
        if not isinstance(value, dict):
            said.say_rest("$", value)
            return EventRead((*frame, *_all(said)), tuple(said.media))
        name = kind if isinstance(kind, str) else ""
        deltas = tuple(self._seams.read(self._read_delta(value, name, said)))
        whole = tuple(self._seams.read(self._read_whole(value, name, said)))
        self._remember(value)
        created = (0,) if name == _CREATED else ()
        return EventRead(
            (*frame, *deltas, *whole), tuple(said.media), created, closing=name in _CLOSING
        )

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        ended = self._event(
            "response.incomplete",
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            number=self._sequence + 2,
            guardrails=guardrail_body.block_summary(verdict),
        )
        if finished:
            return ended
        begun = {"status": "in_progress", "incomplete_details": None}
        return self._event(_CREATED, begun, number=self._sequence + 1) + ended

    def failed(self, message: str) -> bytes:
        # Both forms: clients raise for the nested error, and the flat one is the documented one.
        error = {"type": "upstream_error", "code": "incomplete", "message": message, "param": None}
        event = {**error, "type": "error", "sequence_number": self._sequence + 1, "error": error}
        return openai_shape.event(event, "error")

    def _event(self, kind: str, state: object, *, number: int, **beside: object) -> bytes:
        response = {
            **self._head,
            "object": "response",
            "error": None,
            "instructions": None,
            "metadata": {},
            "output": [],
            "parallel_tool_calls": True,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
            **(state if isinstance(state, dict) else {}),
        }
        event = {"type": kind, "sequence_number": number, "response": response, **beside}
        return openai_shape.event(event, kind)

    def _read_delta(
        self, value: Mapping[str, JsonValue], kind: str, said: ShapedSaid
    ) -> Iterator[Piece]:
        """What an event adds to a text."""
        delta = value.get("delta")
        place = _place(value)
        if kind == "response.audio.delta" and isinstance(delta, str) and is_payload(delta):
            said.media.append(MediaPart(Role.ASSISTANT, MediaKind.AUDIO, place, len(delta)))
            delta = None
        match = _DELTA.fullmatch(kind)
        name = match["name"] if match and match["name"] in _DELTAS else "delta"
        channel = f"{place}.{name}"
        spoken, rest = _spoken(delta)
        if delta and name in _TEXTS:
            self._order.follow(f"{place}.{_TEXTS[name]}", value.get("item_id"))
        for suffix, text in spoken.items():
            yield from self._continued(channel + suffix, name, text)
        beside = ShapedSaid(shape=SHAPE)
        beside.say_rest(channel, rest)
        known = {text for text in (delta, value.get("text")) if isinstance(text, str)}
        say_logprobs(value.get("logprobs"), channel, known, beside)
        yield from _all(beside)
        for at, piece in beside.rest:
            yield from self._lines.read(at, piece)
        said.media += beside.media

    def _continued(self, channel: str, name: str, text: str) -> Iterator[Piece]:
        if not text:
            return
        self._repeats.continues(channel, text)
        if name in _JOINED:
            self._repeats.continues(_JOINED[name], text)
        yield Piece(channel, text)
        if name in _FOLDED:
            yield from self._unfoldings.setdefault(channel, Unfolding(channel)).read(text)

    def _read_whole(
        self, value: Mapping[str, JsonValue], kind: str, said: ShapedSaid
    ) -> Iterator[Piece]:
        """What an event holds besides, as far as it was not said before."""
        _read_parts(value, said)
        repeated = _WHOLE.fullmatch(kind) is not None
        places = {piece.channel: at for at, piece in said.rest}
        new: list[Piece] = []
        for piece in _all(said):
            known = self._echoes if ECHOED.fullmatch(piece.channel) else self._repeats
            if repeated and not known.is_new(piece.text):
                continue
            new.append(piece)
            # An answer may have hundreds of items; what stands in them whole needs no channel each.
            channel = without_positions(piece.channel)
            apart = repeated and not SPOKEN.fullmatch(piece.channel)
            yield Piece(channel, piece.text + "\n" if apart else piece.text)
            if inside := unfolded(piece.text):
                yield Piece(f"{channel}.unfolded", inside + "\n")
            if (at := places.get(piece.channel)) is not None:
                yield from self._lines.read(at, piece)
        if value.get("response") is None:
            self._follow(new, value, kind)
        yield from self._joined(said.pieces, new)

    def _follow(self, new: Iterable[Piece], value: Mapping[str, JsonValue], kind: str) -> None:
        """Texts that come whole, one event after the other, come in order as well."""
        item = value.get("item")
        reasoning = "reasoning" in kind or (
            isinstance(item, dict) and item.get("type") == "reasoning"
        )
        for piece in new:
            if (match := _SHOWN.fullmatch(piece.channel)) is None:
                continue
            hidden = reasoning and SPOKEN.fullmatch(piece.channel)
            self._order.follow(f"{match['place']}.reasoning_text" if hidden else piece.channel)

    def _joined(self, pieces: Sequence[Piece], new: Sequence[Piece]) -> Iterator[Piece]:
        """Texts of an event that clients join, unless they were said in this order before."""
        for channel, form in _TOGETHER.items():
            texts = [piece.text for piece in pieces if form.fullmatch(piece.channel)]
            if len(texts) < 2 or not self._repeats.is_new(joined := "".join(texts)):
                continue
            # All of them new: then they have just been said one after the other.
            if texts != [piece.text for piece in new if form.fullmatch(piece.channel)]:
                yield Piece(channel, joined + "\n")

    def _remember(self, value: Mapping[str, JsonValue]) -> None:
        """Keeps what our own end needs: the number of the last event, the name of the answer."""
        number = value.get("sequence_number")
        if isinstance(number, int) and not isinstance(number, bool):
            self._sequence = max(self._sequence, number)
        else:
            self._sequence += 1
        response = value.get("response")
        if not isinstance(response, dict) or value.get("type") != _CREATED:
            return
        for key, known in self._head.items():
            seen = response.get(key)
            fits = isinstance(seen, str) and is_token(seen) and isinstance(known, str)
            if fits or (key == "created_at" and isinstance(seen, int | float)):
                self._head[key] = seen


def _read_parts(value: Mapping[str, JsonValue], said: ShapedSaid) -> None:
    """All of an event but its delta."""
    place = _place(value)
    if (response := value.get("response")) is not None:
        read_response(response, said)
    if (item := value.get("item")) is not None:
        read_item(item, place.partition(".")[0], said)
    if (part := value.get("part")) is not None:
        read_part(part, place, said)
    read_part(left_over(value, _EVENT_APART), place, said)


def _place(value: Mapping[str, JsonValue]) -> str:
    """Which item and part an event is about, as the path of an answer."""
    steps = [
        f"{name}[{index}]"
        for field, name in _INDEXES
        if (index := number_of(value.get(field))) is not None
    ]
    return ".".join(steps) or "$"


def _spoken(delta: JsonValue) -> tuple[dict[str, str], JsonValue]:
    """Texts of a delta that go on, by what their channel's name ends in; and all else in it."""
    if isinstance(delta, str):
        return {"": delta}, None
    if not isinstance(delta, dict):
        return {}, delta
    spoken = {key: text for key, text in delta.items() if key in _OUTPUTS and isinstance(text, str)}
    return {f".{key}": text for key, text in spoken.items()}, left_over(delta, spoken)


def _all(said: ShapedSaid) -> Iterator[Piece]:
    yield from said.pieces
    for _, piece in said.rest:
        yield piece
