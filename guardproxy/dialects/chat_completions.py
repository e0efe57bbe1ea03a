"""`POST /v1/chat/completions`: OpenAI's, Mistral's, Azure's and vLLM's, whole and streamed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from guardproxy.dialects import chat_fields, chat_request, openai_shape
from guardproxy.dialects.answer_reader import DONE, read_whole, value_of
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Piece, Refusal
from guardproxy.dialects.chat_said import Said, read_choice
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import is_token, left_over
from guardproxy.dialects.order import Order
from guardproxy.dialects.rest import Rest
from guardproxy.dialects.seams import Seams, is_shown
from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.dialects.unfolding import Unfolding
from guardproxy.errors import StreamError, UpstreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Verdict

_FOLDED = (".arguments", ".input")
"""How channels end whose text is JSON for a tool."""
_CHOICE = re.compile(r"choices\[\d+\]")
_CALLED = named("name", "arguments", "input")
_SPOKEN = named(
    *chat_fields.SAID_KNOWN,
    tool_calls=named("index", "id", function=_CALLED, custom=_CALLED),
    function_call=_CALLED,
    audio=named("transcript", "data"),
)
_FIELDS = named(
    choices=named("index", "text", "logprobs", "finish_reason", message=_SPOKEN, delta=_SPOKEN)
)


class ChatCompletions:
    """Fits `Dialect`."""

    name = "chat_completions"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return chat_request.read_request(body, limits)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(body, limits, lambda value: _said(value, limits))

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> ChatStream:
        return ChatStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return openai_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return openai_shape.error_body(fault)


class ChatStream:
    """Reads one stream of chunks; fits `StreamReader`.

    Args:
        limits: the policy's.
        kind: what the chunks call themselves in `object`.
        silent: the member of a choice that says nothing.
    """

    keep_alive = openai_shape.KEEP_ALIVE

    def __init__(
        self,
        limits: Limits,
        *,
        kind: str = "chat.completion.chunk",
        silent: tuple[str, JsonValue] = ("delta", {}),
    ) -> None:
        self._limits = limits
        self._kind = kind
        self._silent = silent
        self._head: dict[str, JsonValue] = {"id": "", "created": 0, "model": ""}
        self._choices: set[int] = set()
        self._frame = Frame()
        self._rest = Rest()
        self._seams = Seams()
        self._choice_seams = Seams(lambda _: "choices")
        self._order = Order()
        self._unfoldings: dict[str, Unfolding] = {}

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = Said()
        said.pieces += self._frame.read(event)
        data = event.data
        if data is None or data.strip() == DONE:
            return EventRead(tuple(said.pieces), last=data is not None)
        value = value_of(data, self._limits, said)
        check_spelling(value, _FIELDS)
        try:
            _read_body(value, self._limits, said)
            finished = self._remember(value)
        except UpstreamError as error:
            raise StreamError("an event of the stream cannot be read safely") from error
        for channel, whose in said.calls:
            self._order.stay(channel, whose)
        spoken = self._across_choices(self._seams.read(self._rest.read(said)))
        pieces = tuple(self._unfolded(spoken))
        return EventRead(pieces, tuple(said.media), finished, closing=bool(finished))

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        still_open = sorted((self._choices or {0}) - set(finished)) or [max(self._choices or {0})]
        chunk: dict[str, object] = {
            **self._head,
            "object": self._kind,
            "choices": [self._filtered(index) for index in still_open],
            "guardrails": guardrail_body.block_summary(verdict),
        }
        return openai_shape.event(chunk) + f"data: {DONE}\n\n".encode()

    def failed(self, message: str) -> bytes:
        return openai_shape.stream_fault(message)

    def _across_choices(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces, and what is said where one choice goes on after another.

        Many clients take the first choice of each chunk for the only one there is.
        """
        for piece in pieces:
            yield piece
            choice = _CHOICE.match(piece.channel)
            if choice and is_shown(piece.channel):
                seam = self._choice_seams.after(Piece(choice[0], piece.text))
                yield from (seam,) if seam else ()

    def _unfolded(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces, and what JSON in the arguments of tools says to whoever decodes it."""
        for piece in pieces:
            yield piece
            if piece.channel.endswith(_FOLDED):
                unfolding = self._unfoldings.setdefault(piece.channel, Unfolding(piece.channel))
                yield from unfolding.read(piece.text)

    def _filtered(self, index: int) -> dict[str, JsonValue]:
        name, nothing = self._silent
        return {"index": index, name: nothing, "logprobs": None, "finish_reason": "content_filter"}

    def _remember(self, value: JsonValue) -> tuple[int, ...]:
        """Keeps what our own last chunk needs; returns the choices that end here."""
        if not isinstance(value, dict):
            return ()
        for key, known in self._head.items():
            seen = value.get(key)
            # Azure sends annotations in chunks without id, time and model: those before hold.
            if seen and type(seen) is type(known) and (not isinstance(seen, str) or is_token(seen)):
                self._head[key] = seen
        finished = []
        for position, choice in enumerate(_choices(value)):
            index = _index(choice, position, self._limits)
            self._choices.add(index)
            if choice.get("finish_reason") is not None:
                finished.append(index)
        return tuple(finished)


def _said(value: JsonValue, limits: Limits) -> Said:
    said = Said()
    _read_body(value, limits, said)
    return said


def _read_body(value: JsonValue, limits: Limits, said: Said) -> None:
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return
    for position, choice in enumerate(_choices(value)):
        read_choice(choice, _index(choice, position, limits), said)
    said.say_rest("$", left_over(value, {"choices"}))


def _choices(body: dict[str, JsonValue]) -> list[dict[str, JsonValue]]:
    choices = body.get("choices")
    if choices is None:
        return []
    if not isinstance(choices, list):
        raise UpstreamError("the answer's choices are not a list")
    objects = [choice for choice in choices if isinstance(choice, dict)]
    if len(objects) != len(choices):
        raise UpstreamError("a choice of the answer is not an object")
    return objects


def _index(choice: dict[str, JsonValue], position: int, limits: Limits) -> int:
    index = choice.get("index", position)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < limits.choices:
        raise UpstreamError("a choice of the answer has an index that cannot be")
    return index
