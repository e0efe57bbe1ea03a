"""The words in which most APIs refuse: read by the SDKs of OpenAI and Mistral alike."""

from __future__ import annotations

import json

import pytest

from guardproxy.dialects import openai_shape
from guardproxy.dialects.base import Fault
from guardproxy.sse import EventDecoder
from tests.dialects.samples import VERDICT


def test_a_block_is_mistrals_403() -> None:
    refusal = openai_shape.refusal(VERDICT)
    body = json.loads(refusal.body)

    assert refusal.status == 403
    assert body["error"]["message"] == "Content blocked by guardrail"
    assert body["guardrails"]["results"]["moderation_llm_v2"]["violated"]


@pytest.mark.parametrize(
    ("param", "message"), [("messages", "messages: must be a list"), (None, "must be a list")]
)
def test_a_fault_names_its_place(param: str | None, message: str) -> None:
    body = json.loads(openai_shape.error_body(Fault(400, "must be a list", "kind", param, "code")))

    assert body == {"error": {"message": message, "type": "kind", "param": param, "code": "code"}}


@pytest.mark.parametrize(
    ("param", "place"),
    [
        ("a[0].b", ["body", "a", 0, "b"]),
        ("guardrails", ["body", "guardrails"]),
        ("a[\u0661]", ["body", "a", "\u0661"]),
        (None, ["body"]),
    ],
)
def test_a_422_has_the_list_that_mistrals_client_insists_on(
    param: str | None, place: list[str | int]
) -> None:
    body = json.loads(openai_shape.error_body(Fault(422, "is wrong", "kind", param, "code")))

    assert body["detail"] == [{"loc": place, "msg": "is wrong", "type": "code"}]


def test_a_stream_that_breaks_off_does_not_look_complete() -> None:
    (event,) = EventDecoder(1 << 20).feed(openai_shape.stream_fault("it broke"))
    error = json.loads(event.data or "")["error"]

    assert (error["message"], error["code"]) == ("it broke", "incomplete")
    assert event.event == ""


def test_an_event_may_have_a_name() -> None:
    assert openai_shape.event({"a": 1}, "x") == b'event: x\ndata: {"a":1}\n\n'
