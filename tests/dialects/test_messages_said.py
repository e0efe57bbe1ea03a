"""Answers of Anthropic's Messages: every text of them is judged."""

from __future__ import annotations

import json

from guardproxy.dialects.messages import Messages
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, recorded

MESSAGES = Messages()
RECORDED = recorded(MESSAGES)


def answered(value: Json) -> dict[str, str]:
    read = MESSAGES.read_answer(json.dumps(value).encode(), LIMITS)
    return {part.path: part.text for part in read.texts}


def test_text_blocks_are_one_text() -> None:
    said = answered(RECORDED.answers["search"])

    assert said["content.text"] == "It is sunny."
    assert "Sunny in Bern" in said["content[3]"]
    assert "21\n" in said["content[4]"]
    assert not [text for text in said.values() if "EqQB" in text]


def test_tools_and_thoughts_are_judged() -> None:
    said = answered(RECORDED.answers["tools"])

    assert said["content.thinking"] == "A tool knows."
    assert said["content[3].name"] == "get_weather"
    assert said["content[3].input"] == "place\nBern\ndays"


def test_errors_and_refusals_are_judged() -> None:
    assert answered(RECORDED.answers["error"]) == {"$": "max_tokens: field required"}
    assert answered(RECORDED.answers["refusal"]) == {"$": "This cannot be answered."}
    assert answered(RECORDED.answers["count_tokens"]) == {}


def test_answers_in_odd_forms_are_judged() -> None:
    assert answered({"content": "Hi"}) == {"content.text": "Hi"}
    assert answered({"content": ["Hi", {"type": "text", "text": {"a": "b"}}]}) == {
        "content.text": "Hia\nb"
    }
    assert answered(["Hi"]) == {"$": "Hi"}
