"""OpenAI's Responses refuse as every API of OpenAI's does."""

from __future__ import annotations

from guardproxy.dialects import openai_shape
from guardproxy.dialects.base import Fault
from guardproxy.dialects.responses import Responses
from guardproxy.verdict import Verdict

FAULT = Fault(400, "must be a list", "invalid_request_error", "input", "invalid_type")


def test_refusals_and_faults_have_openais_shape() -> None:
    assert Responses().refusal(Verdict()) == openai_shape.refusal(Verdict())
    assert Responses().error_body(FAULT) == openai_shape.error_body(FAULT)


def test_a_stream_is_known_by_its_media_type() -> None:
    assert Responses().is_stream("text/event-stream")
    assert not Responses().is_stream("application/json")
