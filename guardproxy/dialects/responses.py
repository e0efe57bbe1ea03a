"""`POST /v1/responses`: OpenAI's Responses, whole and streamed."""

from __future__ import annotations

from guardproxy.dialects import openai_shape, responses_request
from guardproxy.dialects.answer_reader import read_whole
from guardproxy.dialects.base import Answered, Asked, Fault, Refusal
from guardproxy.dialects.responses_said import said_in
from guardproxy.dialects.responses_stream import ResponsesStream
from guardproxy.policy.config import Limits
from guardproxy.verdict import Verdict


class Responses:
    """Fits `Dialect`."""

    name = "responses"

    def read_request(self, body: bytes, limits: Limits) -> Asked:
        return responses_request.read_request(body, limits)

    def read_answer(self, body: bytes, limits: Limits) -> Answered:
        return read_whole(body, limits, said_in)

    def is_stream(self, content_type: str) -> bool:
        return content_type == "text/event-stream"

    def open_stream(self, limits: Limits) -> ResponsesStream:
        return ResponsesStream(limits)

    def refusal(self, verdict: Verdict) -> Refusal:
        return openai_shape.refusal(verdict)

    def error_body(self, fault: Fault) -> bytes:
        return openai_shape.error_body(fault)
