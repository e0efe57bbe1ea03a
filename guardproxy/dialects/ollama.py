"""Ollama's `POST /api/chat` and `POST /api/generate`: whole, and as a stream of JSON lines.

A stream that is blocked ends as the API's own streams do, with an object that is `done`: its
`done_reason` is `content_filter`. Errors have Ollama's shape: `error` is a string, which its
clients show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects import chat_fields, ollama_request
from guardproxy.dialects.answer_reader import read_whole
from guardproxy.dialects.base import Answered, Asked, EventRead, Fault, Refusal
from guardproxy.dialects.chat_said import Said, read_spoken, read_text
from guardproxy.dialects.frame import Frame
from guardproxy.dialects.leaves import is_payload, is_token, left_over
from guardproxy.dialects.logprobs import tokens_said
from guardproxy.dialects.ndjson import LineDecoder
from guardproxy.dialects.openai_shape import BLOCKED_STATUS
from guardproxy.dialects.rest import Rest
from guardproxy.dialects.seams import Seams
from guardproxy.dialects.spelling import check_spelling, named
from guardproxy.errors import RequestError, StreamError
from guardproxy.policy import guardrail_body
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent
from guardproxy.strict_json import JsonValue, read
from guardproxy.verdict import Verdict

MEDIA_TYPE = "application/x-ndjson"
_STRUCTURE = re.compile(chat_fields.ANSWER_STRUCTURE.pattern + r"|created_at|done_reason")
_TEXTS = ("thinking", "response")
_READ_APART = frozenset({"message", "logprobs", "image", *_TEXTS})
_FIELDS = named(
    "done", "image", "logprobs", *_TEXTS,
    message=named(
        "thinking", *chat_fields.SAID_KNOWN,
        tool_calls=named(function=named("name", "arguments", "index")),
    ),
)  # fmt: skip


class _Ollama:
    """What chat and generate share."""

    _silent: tuple[str, JsonValue]

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(body, limits, _said)

    def is_stream(self, content_type: str) -> bool:
        return content_type == MEDIA_TYPE

    def open_stream(self, limits: Limits) -> OllamaStream:
        return OllamaStream(limits, self._silent)

    def refusal(self, verdict: Verdict) -> Refusal:
        param, code = guardrail_body.reason(verdict)
        failed = verdict.blocked_by_error
        error = {
            "error": guardrail_body.UNJUDGED_MESSAGE if failed else guardrail_body.BLOCKED_MESSAGE,
            "type": guardrail_body.BLOCKED_TYPE,
            "param": param or None,
            "code": code,
            "guardrails": guardrail_body.block_summary(verdict),
        }
        return Refusal(BLOCKED_STATUS, json.dumps(error).encode())

    def error_body(self, fault: Fault) -> bytes:
        error = {
            "error": fault.told,
            "type": fault.kind,
            "param": fault.param,
            "code": fault.code,
        }
        return json.dumps(error).encode()


class OllamaChat(_Ollama):
    """Fits `Dialect`."""

    name = "ollama_chat"
    _silent = ("message", {"role": "assistant", "content": ""})

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return ollama_request.read_chat(body, limits)


class OllamaGenerate(_Ollama):
    """Fits `Dialect`."""

    name = "ollama_generate"
    _silent = ("response", "")

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return ollama_request.read_generate(body, limits)


class OllamaStream:
    """Reads one stream of JSON lines; fits `StreamReader`.

    Args:
        limits: the policy's.
        silent: the member of an answer that says nothing.
    """

    # Clients read every line as JSON, a blank one too.
    keep_alive = b""

    def __init__(self, limits: Limits, silent: tuple[str, JsonValue]) -> None:
        self._limits = limits
        self._silent = silent
        self._head: dict[str, JsonValue] = {"model": "", "created_at": ""}
        self._frame = Frame()
        self._rest = Rest()
        self._seams = Seams()

    def decoder(self) -> LineDecoder:
        return LineDecoder(self._limits.event_bytes)

    def read(self, event: ServerSentEvent) -> EventRead:
        said = Said(_STRUCTURE)
        said.pieces += self._frame.read(event)
        if event.data is None:
            return EventRead(tuple(said.pieces))
        try:
            value = read(
                event.data.encode(), depth=self._limits.json_depth, members=self._limits.event_bytes
            )
        except RequestError as error:
            raise StreamError("a line of the stream cannot be read safely") from error
        check_spelling(value, _FIELDS)
        _read(value, said)
        self._remember(value)
        last = isinstance(value, dict) and value.get("done") is True
        pieces = tuple(self._seams.read(self._rest.read(said)))
        return EventRead(pieces, tuple(said.media), last=last)

    def blocked(self, verdict: Verdict, finished: Collection[int]) -> bytes:
        del finished  # an answer has one choice
        name, nothing = self._silent
        return _line(
            {
                **self._head,
                name: nothing,
                "done": True,
                "done_reason": "content_filter",
                "guardrails": guardrail_body.block_summary(verdict),
            }
        )

    def failed(self, message: str) -> bytes:
        return _line({"error": message})

    def _remember(self, value: JsonValue) -> None:
        """What our own last object needs; this room has no clock."""
        for key in self._head:
            seen = value.get(key) if isinstance(value, dict) else None
            if isinstance(seen, str) and is_token(seen):
                self._head[key] = seen


def _said(value: JsonValue) -> Said:
    said = Said(_STRUCTURE)
    _read(value, said)
    return said


def _read(value: JsonValue, said: Said) -> None:
    """What a whole answer or one object of a stream says: `$` is where both stand."""
    if not isinstance(value, dict):
        said.say_rest("$", value)
        return
    message = value.get("message")
    if isinstance(message, dict):
        read_text(message.get("thinking"), "$.message.thinking", said)
        read_spoken(left_over(message, {"thinking"}), "$.message", said)
    else:
        read_text(message, "$.message", said)
    for name in _TEXTS:
        read_text(value.get(name), f"$.{name}", said)
    _read_logprobs(value.get("logprobs"), said)
    _read_image(value.get("image"), said)
    said.say_rest("$", left_over(value, _READ_APART))


def _read_logprobs(logprobs: JsonValue, said: Said) -> None:
    if logprobs is not None:
        known = {piece.text for piece in said.pieces}
        for name, text in tokens_said({"content": logprobs}, known):
            said.say(f"$.logprobs.{name}", text)


def _read_image(image: JsonValue, said: Said) -> None:
    """A picture that a model made, in base64."""
    if isinstance(image, str) and is_payload(image):
        if image:
            said.media.append(MediaPart(Role.ASSISTANT, MediaKind.IMAGE, "$.image", len(image)))
    else:
        said.say_rest("$", {"image": image})


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
