"""What conversations answer, whole and streamed, and how a stream is ended."""

from __future__ import annotations

import json

import pytest

from guardproxy.dialects.conversations import ConversationAppend, Conversations
from guardproxy.errors import RequestError, StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from tests.dialects.bodies import Json
from tests.dialects.recorded import channels, reads, recorded, sent
from tests.dialects.samples import VERDICT

LIMITS = Limits()
START, APPEND = Conversations(), ConversationAppend()


def answered(value: Json) -> dict[str, str]:
    body = json.dumps(value).encode()
    return {part.path: part.text for part in START.read_answer(body, LIMITS).texts}


def test_guardrails_are_taken_at_the_start_and_not_later() -> None:
    body = b'{"inputs": "a", "guardrails": [{}]}'

    assert START.read_request(body, LIMITS).guardrails == [{}]
    with pytest.raises(RequestError) as error:
        APPEND.read_request(body, LIMITS)
    assert (error.value.status, error.value.param) == (422, "guardrails")
    assert APPEND.read_request(b'{"inputs": "a", "guardrails": null}', LIMITS).texts


def test_an_answer_says_what_its_outputs_say() -> None:
    said = answered(recorded(START).answers["web_search"])

    assert said["outputs[1].content"].startswith("It is sunny in Paris")
    assert ", and warm." in said["outputs[1].content"]
    assert "Weather of Paris" in said["outputs[1].content.beside"]
    assert said["outputs[0].arguments"] == '{"query": "weather Paris"}'
    assert said["outputs[0]"] == "a page about weather"


def test_arguments_are_a_string_or_an_object() -> None:
    said = answered(recorded(START).answers["function_call"])

    assert said["outputs[0].arguments"] == '{"city": "Paris"}'
    assert "London town" in said["outputs[1].arguments"]
    assert said["outputs[2]"] == "weather agent\ntravel agent"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"outputs": ["some words"]}, "some words"),
        ({"outputs": [["some", " words"]]}, "some words"),
        ({"outputs": None, "note": "some words"}, "some words"),
        ({"message": "some words"}, "some words"),
        (["some words"], "some words"),
    ],
)
def test_other_shapes_are_text(value: Json, text: str) -> None:
    assert list(answered(value).values()) == [text]


def test_outputs_that_are_no_list_are_refused() -> None:
    with pytest.raises(UpstreamError):
        answered({"outputs": {"content": "words"}})


def test_a_stream_continues_each_output() -> None:
    (said, called) = (
        channels(reads(START, recorded(START).streams["web_search"])),
        channels(reads(APPEND, recorded(APPEND).streams["function_call"])),
    )

    assert said["$.outputs[1].content"].startswith("It is sunny")
    assert said["$.outputs[1].content"].endswith(" today.")
    assert said["$.outputs[0].arguments"] == '{"query": "weather"}'
    assert called["$.outputs[1].arguments"] == '{"city": "Paris"}'
    assert called["$.outputs[0].next_agent_name"] == "travel agent"
    assert "sse" not in said | called


def test_thinking_in_a_stream_is_a_text_of_its_own() -> None:
    texts: list[Json] = [{"type": "text", "text": "kil"}, {"type": "text", "text": "ling"}]
    thinking: Json = {"type": "thinking", "thinking": [{"type": "text", "text": "calm"}]}
    reader = START.open_stream(LIMITS)
    events = [{"output_index": 0, "content": each} for each in (texts[0], thinking, texts[1])]
    said = channels([reader.read(sent(event)) for event in events])

    assert said["$.outputs[0].content"] == "killing"
    assert said["$.outputs[0].content.thinking"] == "calm"
    assert said["$.seam"] == "\nkilcalmling"


def said(*places: tuple[int, int], **more: Json) -> None:
    reader = START.open_stream(LIMITS)
    for output, content in places:
        at = {"output_index": output, "content_index": content}
        reader.read(sent({"type": "message.output.delta", "content": "a", **at, **more}))


def test_i3_what_goes_back_to_an_earlier_output_or_chunk_ends_the_stream() -> None:
    said((0, 0), (0, 1), (2, 0), (2, 3))
    for back in (((1, 0), (0, 0)), ((0, 1), (0, 0)), ((0, 0), (0, 1), (0, 0))):
        with pytest.raises(StreamError):
            said(*back)
        said(*back, content={"type": "tool_reference", "title": "a page"})
        said(*back, content="")


def test_i3_two_ids_at_one_place_do_not_take_turns() -> None:
    for name, field in (("id", "content"), ("tool_call_id", "arguments")):
        reader = START.open_stream(LIMITS)
        events = [sent({"output_index": 0, name: at, field: "a"}) for at in "aba"]
        assert all(reader.read(each).pieces for each in events[:2])
        with pytest.raises(StreamError):
            reader.read(events[2])


@pytest.mark.parametrize("index", ["1", 1.0, True, [1]])
def test_s6_a_chunk_whose_index_is_no_number_ends_the_stream(index: Json) -> None:
    with pytest.raises(StreamError):
        START.open_stream(LIMITS).read(sent({"content_index": index, "content": "a"}))


def test_a_name_that_is_none_of_the_apis_is_judged() -> None:
    read = START.open_stream(LIMITS).read(sent({"type": "kill them all"}))

    assert [piece.channel for piece in read.pieces] == ["sse", "sse.ids", "$.outputs[0].type"]


@pytest.mark.parametrize(
    ("event", "last"),
    [
        (ServerSentEvent("[DONE]", "", b"", ()), True),
        (ServerSentEvent(None, "", b"", ("ping",)), False),
        (ServerSentEvent("{}", "conversation.response.done", b"", ()), True),
        (ServerSentEvent("{}", "message.output.delta", b"", ()), False),
        (ServerSentEvent('{"type": "conversation.response.error"}', "", b"", ()), True),
        (ServerSentEvent("words", "", b"", ()), False),
        (ServerSentEvent('["words"]', "", b"", ()), False),
    ],
)
def test_s19_nothing_follows_the_end(event: ServerSentEvent, last: bool) -> None:
    assert START.open_stream(LIMITS).read(event).last is last


@pytest.mark.parametrize("index", [-1, 10**9, "1", 1.0, True, None, [1]])
def test_s6_an_index_that_cannot_be_ends_the_stream(index: Json) -> None:
    with pytest.raises(StreamError):
        START.open_stream(LIMITS).read(sent({"output_index": index}))


def test_s34_a_block_is_the_apis_own_error() -> None:
    reader = START.open_stream(LIMITS)
    reader.read(sent({"type": "message.output.delta", "created_at": "2025-05-27T13:00:01Z"}))
    reader.read(sent({"type": "message.output.delta", "created_at": "never ever"}))

    (event,) = EventDecoder(1 << 20).feed(reader.blocked(VERDICT, ()))
    data = json.loads(event.data or "")

    assert event.event == data["type"] == "conversation.response.error"
    assert data["created_at"] == "2025-05-27T13:00:01Z"
    assert (data["message"], data["code"]) == ("Content blocked by guardrail", 403)
    assert data["guardrails"]["results"]["moderation_llm_v2"]["violated"]


def test_s28_a_fault_is_the_apis_own_error() -> None:
    (event,) = EventDecoder(1 << 20).feed(START.open_stream(LIMITS).failed("it broke"))

    assert event.event == "conversation.response.error"
    assert json.loads(event.data or "") == {
        "type": "conversation.response.error",
        "message": "it broke",
        "code": 502,
    }
