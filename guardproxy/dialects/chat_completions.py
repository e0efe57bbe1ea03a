"""`POST /v1/chat/completions`: OpenAI's, Mistral's, Azure's and vLLM's, whole and streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from guardproxy.content import Role, TextPart
from guardproxy.dialects import chat_request, openai_shape
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Refusal
from guardproxy.dialects.chat_said import Said, continued, read_choice
from guardproxy.dialects.leaves import (
    JSON_BEGINNINGS,
    is_json,
    is_token,
    left_over,
    plain_text,
    unfolded,
)
from guardproxy.errors import RequestError, StreamError, UpstreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue, read
from guardproxy.verdict import Verdict

_DONE = "[DONE]"


class ChatCompletions:
    """Fits `Dialect`."""

    name = "chat_completions"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return chat_request.read_request(body, limits)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        if not body.strip():
            return Answered(())
        if not is_json(body):
            return Answered((TextPart(Role.ASSISTANT, plain_text(body), "$"),))
        try:
            # Log probabilities make many members; the size of the body bounds them.
            value = read(body, depth=limits.json_depth, members=limits.answer_bytes)
        except RequestError as error:
            raise UpstreamError(f"the answer cannot be read safely: {error.code}") from error
        said = Said()
        _read_body(value, limits, said)
        return Answered(tuple(_texts(said)), tuple(said.media))

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> ChatStream:
        return ChatStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return openai_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return openai_shape.error_body(fault)


class ChatStream:
    """Reads one stream of chunks; fits `StreamReader`."""

    keep_alive = b": keep-alive\n\n"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._head: dict[str, JsonValue] = {"id": "", "created": 0, "model": ""}
        self._choices: set[int] = set()
        self._rest: dict[str, str] = {}

    def decoder(self) -> EventDecoder:
        return EventDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = Said()
        # Comments, ids and event names go on as they came, so they are judged as well.
        said.say("sse", "\n".join((*event.extra, event.event)).strip("\n"))
        data = event.data
        if data is None or data.strip() == _DONE:
            return EventRead(tuple(said.pieces), last=data is not None)
        if data.lstrip()[:1] not in JSON_BEGINNINGS:
            said.say("raw", data + "\n")
            return EventRead(tuple(said.pieces))
        try:
            value = read(
                data.encode(), depth=self._limits.json_depth, members=self._limits.event_bytes
            )
            _read_body(value, self._limits, said)
            finished = self._remember(value)
        except (RequestError, UpstreamError) as error:
            raise StreamError("an event of the stream cannot be read safely") from error
        return EventRead(tuple(continued(said, self._rest)), tuple(said.media), finished)

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        still_open = sorted((self._choices or {0}) - set(finished)) or [max(self._choices or {0})]
        chunk: dict[str, object] = {
            **self._head,
            "object": "chat.completion.chunk",
            "choices": [
                {"index": index, "delta": {}, "logprobs": None, "finish_reason": "content_filter"}
                for index in still_open
            ],
            "guardrails": guardrail_body.block_summary(verdict),
        }
        return openai_shape.event(chunk) + b"data: [DONE]\n\n"

    def failed(self, message: str) -> bytes:
        return openai_shape.stream_fault(message)

    def _remember(self, value: JsonValue) -> tuple[int, ...]:
        """Keeps what our own last chunk needs; returns the choices that end here."""
        if not isinstance(value, dict):
            return ()
        for key, known in self._head.items():
            seen = value.get(key)
            if type(seen) is type(known) and (not isinstance(seen, str) or is_token(seen)):
                self._head[key] = seen
        finished = []
        for position, choice in enumerate(_choices(value)):
            index = _index(choice, position, self._limits)
            self._choices.add(index)
            if choice.get("finish_reason") is not None:
                finished.append(index)
        return tuple(finished)


def _read_body(value: JsonValue, limits: Limits, said: Said) -> None:
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return
    for position, choice in enumerate(_choices(value)):
        read_choice(choice, _index(choice, position, limits), said)
    said.say_rest("$", left_over(value, {"choices"}))


def _texts(said: Said) -> Iterator[TextPart]:
    """One text per channel: what continues a channel belongs to one text, wherever it stands.

    What stands in fields nobody knows is one text per place; JSON in a string is read as well.
    """
    spoken: dict[str, list[str]] = {}
    for piece in said.pieces:
        spoken.setdefault(piece.channel, []).append(piece.text)
    texts = {channel: "".join(pieces) for channel, pieces in spoken.items()}
    for place, piece in said.rest:
        texts[place] = f"{texts[place]}\n{piece.text}" if place in texts else piece.text
    for channel, text in texts.items():
        yield TextPart(Role.ASSISTANT, text, channel)
        if inside := unfolded(text):
            yield TextPart(Role.ASSISTANT, inside, channel)


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
