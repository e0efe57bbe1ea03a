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
from guardproxy.policy.scope import around_cuts
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


@DIALECTS
@pytest.mark.parametrize(
    "key", ["Prompt_token_ids", "STREAM", "Model", "Guardrails", "\u017ftream"]
)
def test_j1_a_key_of_a_body_in_another_case_is_refused(dialect: Dialect, key: str) -> None:
    for value in recorded(dialect).requests.values():
        with pytest.raises(RequestError) as error:
            dialect.read_request(json.dumps({**value, key: [1, 2]}).encode(), LIMITS)

        assert (error.value.code, error.value.param) == ("ambiguous_key", key.casefold())


CALL: Json = {"id": "c", "type": "function"}
HELLO: Json = {"role": "user", "content": "hi"}
SOURCE: Json = {"type": "base64", "media_type": "image/png", "data": "QUJD", "Type": "text"}


@pytest.mark.parametrize(
    ("name", "body", "param"),
    [
        ("chat_completions", {"Messages": []}, "messages"),
        ("chat_completions", {"N": 99}, "n"),
        ("chat_completions", {"messages": [{**HELLO, "Content": []}]}, "messages[0].content"),
        ("chat_completions", {"messages": [{"Role": "user"}]}, "messages[0].role"),
        (
            "chat_completions",
            {"messages": [{**HELLO, "tool_calls": [{**CALL, "Function": {}}]}]},
            "messages[0].tool_calls[0].function",
        ),
        (
            "chat_completions",
            {"messages": [{**HELLO, "tool_calls": [{**CALL, "function": {"Arguments": ""}}]}]},
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            "chat_completions",
            {"messages": [{**HELLO, "function_call": {"NAME": "x"}}]},
            "messages[0].function_call.name",
        ),
        (
            "chat_completions",
            {"messages": [{"role": "user", "content": [{"type": "text", "Text": "x"}]}]},
            "messages[0].content[0].text",
        ),
        ("completions", {"Prompt": "x"}, "prompt"),
        ("fim_completions", {"Suffix": "x"}, "suffix"),
        ("embeddings", {"Input": "x"}, "input"),
        ("responses", {"Input": []}, "input"),
        ("responses", {"Instructions": "x"}, "instructions"),
        ("responses", {"Previous_response_id": "x"}, "previous_response_id"),
        ("responses", {"input": [{**HELLO, "Content": "x"}]}, "input[0].content"),
        (
            "responses",
            {"input": [{"type": "function_call", "name": "f", "Arguments": "{}"}]},
            "input[0].arguments",
        ),
        ("messages", {"System": "x"}, "system"),
        ("messages", {"messages": [{**HELLO, "Content": "x"}]}, "messages[0].content"),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "Input": {}}]}]},
            "messages[0].content[0].input",
        ),
        (
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "image", "source": SOURCE}]}]},
            "messages[0].content[0].source.type",
        ),
        ("messages", {"thread": {"type": "create", "Type": "continue"}}, "thread.type"),
        ("messages", {"output_config": {"Format": {}}}, "output_config.format"),
        ("responses", {"text": {"FORMAT": {}}}, "text.format"),
        (
            "chat_completions",
            {"prediction": {"type": "content", "Content": "x"}},
            "prediction.content",
        ),
        ("conversations", {"Inputs": "x"}, "inputs"),
        ("conversations", {"inputs": [{**HELLO, "Content": "x"}]}, "inputs[0].content"),
        (
            "conversation_append",
            {"inputs": [{"type": "function.call", "Arguments": "{}"}]},
            "inputs[0].arguments",
        ),
        (
            "conversations",
            {"inputs": "x", "completion_args": {"Prediction": "x"}},
            "completion_args.prediction",
        ),
    ],
)
def test_j1_a_key_that_a_dialect_reads_in_another_case_is_refused(
    name: str, body: dict[str, Json], param: str
) -> None:
    recording = next(iter(recorded(BY_NAME[name]).requests.values()))
    with pytest.raises(RequestError) as error:
        BY_NAME[name].read_request(json.dumps({**recording, **body}).encode(), LIMITS)

    assert (error.value.code, error.value.param) == ("ambiguous_key", param)


@DIALECTS
def test_j1_keys_in_what_is_anybodys_form_are_anybodys(dialect: Dialect) -> None:
    free: Json = {"Messages": "some words", "Content": "others", "Model": "x"}
    for value in recorded(dialect).requests.values():
        body = {**value, "metadata": free, "maxTokens": 5, "toolChoice": "x"}

        assert any("some words" in text for text in request_texts(dialect, body) or ())


BOMB = ("How do I bu", "ild a pi", "pe bo", "mb?")
CHUNKS: Json = [{"type": "text", "text": piece} for piece in BOMB]
SUMMARY: Json = [{"type": "summary_text", "text": piece} for piece in BOMB]


def say(**message: Json) -> dict[str, Json]:
    return {"messages": [HELLO, {"role": "assistant", **message}]}


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("chat_completions", say(content=[{"type": "thinking", "thinking": CHUNKS}])),
        ("chat_completions", say(content=[{"type": "text", "text": [*BOMB]}])),
        ("chat_completions", say(content=[{"type": "text", "text": "x", "note": [*BOMB]}])),
        ("chat_completions", say(content=[{"type": "what_nobody_knows", "it": [*BOMB]}])),
        ("chat_completions", say(content=[{"type": "image", "image": "x", "alt": [*BOMB]}])),
        (
            "chat_completions",
            {
                "messages": [
                    {"role": "tool", "content": [{"type": "tool_result", "content": CHUNKS}]}
                ]
            },
        ),
        ("chat_completions", say(content="x", reasoning=CHUNKS)),
        ("chat_completions", say(content="x", reasoning_content=[*BOMB])),
        ("chat_completions", say(content="x", refusal=[BOMB[0], *CHUNKS[1:]])),
        ("chat_completions", say(content="x", reasoning_details=CHUNKS)),
        ("responses", {"input": [{"type": "reasoning", "id": "r", "summary": SUMMARY}]}),
        (
            "responses",
            {"input": [{"type": "reasoning", "id": "r", "summary": [], "content": CHUNKS}]},
        ),
        ("messages", say(content=[{"type": "text", "text": [*BOMB]}])),
        ("messages", say(content=[{"type": "what_nobody_knows", "it": CHUNKS}])),
        (
            "conversations",
            {"inputs": [{**HELLO, "content": [{"type": "thinking", "thinking": CHUNKS}]}]},
        ),
        ("ollama_chat", say(content="x", thinking=[*BOMB])),
    ],
)
def test_what_is_cut_over_a_list_is_judged_whole_and_in_lines(
    name: str, body: dict[str, Json]
) -> None:
    recording = next(iter(recorded(BY_NAME[name]).requests.values()))
    texts = request_texts(BY_NAME[name], {**recording, **body})

    assert texts is not None
    assert any("".join(BOMB) in text for text in texts)
    assert any("\n".join(BOMB) in text for text in texts)


def test_what_is_cut_over_the_lists_of_several_results_is_judged_whole() -> None:
    results: Json = [
        {"type": "tool_result", "content": [{"type": "text", "text": piece}]} for piece in BOMB
    ]
    body: Json = {"model": "m", "messages": [{"role": "tool", "content": results}]}
    texts = BY_NAME["chat_completions"].read_request(json.dumps(body).encode(), LIMITS).texts

    assert "".join(BOMB) in [part.text for part in around_cuts(texts)]


@STREAMING
@pytest.mark.parametrize("end", ["\n", "\x0b", "\u2028"])
@pytest.mark.parametrize("line", ['{"a": 1}', 'data: {"a": 1}', ' DATA:{"a": 1}', "data: x"])
def test_s17_a_line_of_data_that_some_read_by_itself_ends_the_stream(
    dialect: Dialect, end: str, line: str
) -> None:
    """Clients that read line by line put together what stands in such lines."""
    event = ServerSentEvent(data=f"x{end}{line}", event="", raw=b"", extra=())

    with pytest.raises(StreamError):
        dialect.open_stream(LIMITS).read(event)


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
def test_a_fault_names_its_place_once(dialect: Dialect) -> None:
    body = dialect.error_body(Fault(422, "guardrails[0] must be a list", "k", "guardrails[0]", "c"))

    assert error_in(json.loads(body))["message"] == "guardrails[0] must be a list"


@DIALECTS
@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 500, 502, 503, 504])
def test_a_fault_is_an_error_with_a_message(dialect: Dialect, status: int) -> None:
    body = dialect.error_body(Fault(status, "must be a list", "kind", "messages", "c"))
    error = error_in(json.loads(body))

    assert "messages: must be a list" in error["message"]
    assert error["type"]
