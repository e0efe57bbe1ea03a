"""What every dialect owes, whatever API it reads: each guarded route goes through all of this."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardproxy.dialects.base import Dialect, Fault
from guardproxy.dialects.routes import GUARDED
from guardproxy.errors import RequestError, StreamError, UpstreamError
from guardproxy.sse import ServerSentEvent
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.bodies import CANARY, Json, places, with_canary
from tests.dialects.recorded import (
    LIMITS,
    answer_texts,
    event_texts,
    events_in,
    heard,
    recorded,
    request_texts,
)
from tests.profiles import examples

BY_NAME = {dialect.name: dialect for dialect in GUARDED.values()}
THOROUGH = settings(max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow])
DIALECTS = pytest.mark.parametrize("dialect", BY_NAME.values(), ids=BY_NAME.keys())
STREAMED = {name: each for name, each in BY_NAME.items() if recorded(each).streams}
STREAMING = pytest.mark.parametrize("dialect", STREAMED.values(), ids=STREAMED.keys())
DECISION = {"dangerous": CategoryDecision(0.5, 0.9, "somewhere")}
VERDICT = Verdict(
    (GuardrailResult("moderation_llm_v2", "mistral-moderation-2603", Action.BLOCK, DECISION),)
)


@DIALECTS
def test_bodies_are_recorded(dialect: Dialect) -> None:
    assert recorded(dialect).requests
    assert recorded(dialect).answers


@DIALECTS
def test_recorded_requests_are_read_and_go_on_as_they_came(dialect: Dialect) -> None:
    for name, value in recorded(dialect).requests.items():
        body = json.dumps(value).encode()
        asked = dialect.read_request(body, LIMITS)

        assert asked.body == body, name
        assert asked.texts, name
        assert asked.stream is bool(value.get("stream")), name


@DIALECTS
@THOROUGH
@given(data=st.data())
def test_every_text_of_a_request_is_judged(dialect: Dialect, data: st.DataObject) -> None:
    body = data.draw(with_canary(list(recorded(dialect).requests.values())))
    # Inline guardrails are read as strictly as a policy, and cut out before the body goes on.
    body.pop("guardrails", None)

    assert CANARY not in json.dumps(body) or heard(request_texts(dialect, body)), body


@DIALECTS
@THOROUGH
@given(data=st.data())
def test_every_text_of_an_answer_is_judged(dialect: Dialect, data: st.DataObject) -> None:
    body = data.draw(with_canary(list(recorded(dialect).answers.values())))

    assert heard(answer_texts(dialect, body)), body


@STREAMING
@THOROUGH
@given(data=st.data())
def test_every_text_of_an_event_is_judged(dialect: Dialect, data: st.DataObject) -> None:
    value = data.draw(with_canary(recorded(dialect).events))

    assert heard(event_texts(dialect, value)), value


@STREAMING
@given(frame=st.sampled_from(["event", "extra", "data"]), json_data=st.booleans())
def test_every_text_of_a_frame_is_judged(dialect: Dialect, frame: str, json_data: bool) -> None:
    whole = json.dumps(CANARY) if json_data else CANARY
    event = ServerSentEvent(
        data=whole if frame == "data" else None,
        event=CANARY if frame == "event" else "",
        raw=b"",
        extra=(CANARY,) if frame == "extra" else (),
    )
    try:
        pieces = dialect.open_stream(LIMITS).read(event).pieces
    except StreamError:
        # An API whose events are JSON and nothing else.
        assert frame == "data"
        assert not json_data
    else:
        assert heard([piece.text for piece in pieces])


@STREAMING
def test_recorded_streams_are_read_and_only_their_end_is_last(dialect: Dialect) -> None:
    for name, stream in recorded(dialect).streams.items():
        reader = dialect.open_stream(LIMITS)
        lasts = [reader.read(event).last for event in events_in(stream)]

        assert not any(lasts[:-1]), name


@STREAMING
def test_events_are_read_the_same_however_their_bytes_are_cut(dialect: Dialect) -> None:
    for stream in recorded(dialect).streams.values():
        whole = [(event.data, event.event) for event in events_in(stream)]
        decoder = dialect.open_stream(LIMITS).decoder()
        single = [event for byte in stream for event in decoder.feed(bytes([byte]))]

        assert [(event.data, event.event) for event in single] == whole


@STREAMING
@given(garbage=st.binary(max_size=60))
def test_whatever_comes_raises_only_our_own_errors(dialect: Dialect, garbage: bytes) -> None:
    reader = dialect.open_stream(LIMITS)
    for body in (garbage, b'{"type":' + garbage + b"}", b"data: " + garbage + b"\n\n"):
        with suppress(RequestError):
            dialect.read_request(body, LIMITS)
        with suppress(UpstreamError):
            dialect.read_answer(body, LIMITS)
        with suppress(StreamError):
            for event in reader.decoder().feed(body):
                reader.read(event)


ODD: list[Json] = [{"type": {}}, [[]], 0, ""]


def altered(body: Json) -> Iterator[Json]:
    """The body with something of another type in the stead of each of its values."""
    for at in range(len(places(body))):
        for odd in ODD:
            copied = copy.deepcopy(body)
            container, key = places(copied)[at]
            container[key] = odd
            yield copied


@DIALECTS
def test_a_value_of_any_other_type_raises_only_our_own_errors(dialect: Dialect) -> None:
    recordings = recorded(dialect)
    for request in recordings.requests.values():
        for body in altered(request):
            request_texts(dialect, body)
    for answer in recordings.answers.values():
        for body in altered(answer):
            answer_texts(dialect, body)
    for event in recordings.events:
        for value in altered(event):
            event_texts(dialect, value)


@STREAMING
def test_what_ends_a_stream_is_read_by_the_dialect_itself(dialect: Dialect) -> None:
    for stream in recorded(dialect).streams.values():
        events = events_in(stream)
        for left in range(len(events) + 1):
            reader = dialect.open_stream(LIMITS)
            finished: set[int] = set()
            for at, event in enumerate(events):
                read = reader.read(event)
                if at < left:
                    finished.update(read.finished)
            for end in (reader.blocked(VERDICT, finished), reader.failed("it broke")):
                decoder = reader.decoder()
                ours = decoder.feed(end)

                assert ours
                assert decoder.finish() is None
                assert b'"guardrails"' in reader.blocked(VERDICT, finished)


def error_in(body: Json) -> Json:
    """What an error says: in an object of its own, or beside a message in Ollama's way."""
    error = body["error"]
    return error if isinstance(error, dict) else {**body, "message": error}


@DIALECTS
def test_a_refusal_is_an_error_with_guardrails(dialect: Dialect) -> None:
    refusal = dialect.refusal(VERDICT)
    body = json.loads(refusal.body)
    error = error_in(body)

    assert 400 <= refusal.status < 500
    assert error["code"] == "dangerous"
    assert error["param"] == "somewhere"
    assert body["guardrails"]["results"]["moderation_llm_v2"]["violated"] is True


@DIALECTS
@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 500, 502, 503, 504])
def test_a_fault_is_an_error_with_a_message(dialect: Dialect, status: int) -> None:
    body = dialect.error_body(Fault(status, "must be a list", "kind", "messages", "c"))
    error = error_in(json.loads(body))

    assert "messages: must be a list" in error["message"]
    assert error["type"]
