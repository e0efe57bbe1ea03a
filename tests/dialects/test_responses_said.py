"""Answers of OpenAI's Responses: every text of them is judged."""

from __future__ import annotations

import json

from guardproxy.content import MediaKind
from guardproxy.dialects.responses import Responses
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, recorded

RESPONSES = Responses()
RECORDED = recorded(RESPONSES)


def said(value: Json) -> dict[str, str]:
    read = RESPONSES.read_answer(json.dumps(value).encode(), LIMITS)
    return {part.path: part.text for part in read.texts}


def test_a_plain_answer_and_what_it_nearly_said() -> None:
    found = said(RECORDED.answers["plain"])

    assert found["output[0].content[0].text"] == "It is sunny."
    assert "There is" in found["output[0].content[0].logprobs.top"]
    assert found["instructions"] == "You are a weather service."
    assert "The weather at a place." in found["tools[0]"]


def test_every_kind_of_item_is_judged() -> None:
    found = said(RECORDED.answers["tools"])

    assert found["output[0].summary[0].text"] == "A tool knows."
    assert found["output[0].content[0].text"] == "I look."
    assert found["output[1].name"] == "get_weather"
    assert found["output[1].arguments"] == '{"place":"Bern"}'
    assert found["output[2].input"] == "print 21"
    assert found["output[3].output"] == "More sun"
    assert found["output[4].code"] == "print(21)"
    assert "twenty one" in found["output[4]"]
    assert "date" in found["output[5].action"]
    assert "weather Bern" in found["output[6].action"]
    assert found["output[7]"] == "A sunny town"
    assert "Bern today" in found["output[8].content[0]"]
    assert found["output[8].content[2].refusal"] == "Not more."
    assert not [text for text in found.values() if "gAAAA" in text]


def test_parts_that_clients_join_are_judged_joined() -> None:
    assert "It is sunny." in said(RECORDED.answers["tools"])["output_text"]


def test_a_picture_is_a_medium() -> None:
    body = json.dumps(RECORDED.answers["tools"]).encode()

    assert [part.kind for part in RESPONSES.read_answer(body, LIMITS).media] == [MediaKind.IMAGE]


def test_errors_and_small_answers_are_judged() -> None:
    assert said(RECORDED.answers["error"]) == {"$": "The model does not exist."}
    assert said(RECORDED.answers["input_tokens"]) == {}
    assert said(RECORDED.answers["compaction"]) == {
        "output[0].content[0].text": "What is the weather?"
    }


def test_odd_forms_are_judged() -> None:
    assert said({"output": "Hi", "instructions": ["a", {"b": "c"}]}) == {
        "output": "Hi",
        "instructions": "a\nb\nc",
    }
    assert said({"output": ["Hi", {"content": ["there"], "code": {"a": "b"}}]}) == {
        "output[0]": "Hi",
        "output[1].code": "a\nb",
        "output[1].content[0]": "there",
    }
    assert said(["Hi"]) == {"$": "Hi"}


def test_why_something_was_approved_is_judged_and_why_an_answer_ends_is_not() -> None:
    approval = {"type": "mcp_approval_response", "reason": "jailbreaking"}
    ended = {"incomplete_details": {"reason": "max_output_tokens"}}

    assert said({"output": [approval], **ended}) == {"output[0]": "jailbreaking"}
