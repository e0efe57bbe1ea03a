"""Whatever a body holds is judged, wherever it stands; or the body is refused."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardproxy.dialects.base import Dialect
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.dialects.raw_json import RawJson
from guardproxy.errors import RequestError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent
from tests.dialects.bodies import (
    ANSWERS,
    CANARY,
    REQUESTS,
    STREAMS,
    Json,
    events_of,
    with_canary,
)
from tests.profiles import examples

LIMITS = Limits()
DIALECTS = pytest.mark.parametrize("dialect", [ChatCompletions(), RawJson()], ids=lambda d: d.name)
THOROUGH = settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
EVENTS = [event for stream in STREAMS.values() for event in events_of(stream)]


def request_texts(dialect: Dialect, body: Json) -> list[str] | None:
    """What is judged of a request; None if it is refused."""
    try:
        asked = dialect.read_request(json.dumps(body).encode(), LIMITS)
    except RequestError:
        return None
    return [part.text for part in asked.texts]


def answer_texts(dialect: Dialect, body: Json) -> list[str] | None:
    try:
        return [part.text for part in dialect.read_answer(json.dumps(body).encode(), LIMITS).texts]
    except UpstreamError:
        return None


def event_texts(dialect: Dialect, value: Json) -> list[str] | None:
    event = ServerSentEvent(data=json.dumps(value), event="", raw=b"", extra=())
    try:
        return [piece.text for piece in dialect.open_stream(LIMITS).read(event).pieces]
    except UpstreamError:
        return None


def heard(texts: list[str] | None) -> bool:
    return texts is None or any(CANARY in text for text in texts)


@DIALECTS
@THOROUGH
@given(body=with_canary(list(REQUESTS.values())))
def test_every_text_of_a_request_is_judged(dialect: Dialect, body: Json) -> None:
    # Inline guardrails are read as strictly as a policy, and cut out before the body goes on.
    body.pop("guardrails", None)

    assert CANARY not in json.dumps(body) or heard(request_texts(dialect, body)), body


@DIALECTS
@THOROUGH
@given(body=with_canary(list(ANSWERS.values())))
def test_every_text_of_an_answer_is_judged(dialect: Dialect, body: Json) -> None:
    assert heard(answer_texts(dialect, body)), body


@DIALECTS
@THOROUGH
@given(value=with_canary(EVENTS))
def test_every_text_of_an_event_is_judged(dialect: Dialect, value: Json) -> None:
    assert heard(event_texts(dialect, value)), value


@pytest.mark.parametrize("name", REQUESTS)
def test_recorded_requests_are_read_and_forwarded_as_they_came(name: str) -> None:
    body = json.dumps(REQUESTS[name]).encode()

    asked = ChatCompletions().read_request(body, LIMITS)

    assert asked.body == body
    assert asked.texts


@given(levels=st.integers(1, 3), where=st.sampled_from(["arguments", "input"]))
def test_m12_escaped_json_in_arguments_is_judged_as_its_reader_reads_it(
    levels: int, where: str
) -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)
    folded = f'{{"q": "{escaped}"}}'
    for _ in range(levels - 1):
        folded = json.dumps({"q": folded})
    kind = "function" if where == "arguments" else "custom"
    calls = [{"id": "c", "type": kind, kind: {"name": "f", where: folded}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    request = copy.deepcopy(REQUESTS["tools"]) | {"messages": [message]}
    answer = {"choices": [{"index": 0, "message": message}]}

    asked, answered = (
        request_texts(ChatCompletions(), request),
        answer_texts(ChatCompletions(), answer),
    )

    assert asked is not None
    assert answered is not None
    assert any(CANARY in text for text in asked)
    assert any(CANARY in text for text in answered)


def test_biases_are_judged_unless_they_are_numbers_of_tokens() -> None:
    body = copy.deepcopy(REQUESTS["openai"]) | {"logit_bias": {CANARY: 1, "12": -100}}

    texts = request_texts(ChatCompletions(), body)

    assert texts is not None
    assert CANARY in texts
