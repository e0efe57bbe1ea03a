"""Streams of Anthropic's Messages: what they say, and how they end."""

from __future__ import annotations

import pytest

from guardproxy.dialects.messages import Messages
from guardproxy.errors import StreamError
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.bodies import Json
from tests.dialects.recorded import LIMITS, WIRE, channels, events_in, reads, recorded, sent

MESSAGES = Messages()
RECORDED = recorded(MESSAGES)
BLOCKS = WIRE / "messages" / "blocks"
RESULT = GuardrailResult(
    "moderation_llm_v2",
    "mistral-moderation-2603",
    Action.BLOCK,
    {"dangerous": CategoryDecision(0.5, 0.9, "messages[0].content")},
)
VERDICT = Verdict((RESULT,))


def golden(name: str) -> bytes:
    return (BLOCKS / name).read_bytes()


def test_a_stream_says_what_the_whole_answer_says() -> None:
    assert channels(reads(MESSAGES, RECORDED.streams["text"])) == {"content.text": "It is sunny."}
    tools = channels(reads(MESSAGES, RECORDED.streams["tools"]))
    assert tools["content[].name"] == "get_weather"
    assert tools["content[].input"] == '{"place": "Bern"}'
    thinking = channels(reads(MESSAGES, RECORDED.streams["thinking"]))
    assert thinking == {
        "content.thinking": "The user wants weather.",
        "content.text": "Sunny.",
        "content.seam": "\nThe user wants weather.Sunny.",
    }
    search = channels(reads(MESSAGES, RECORDED.streams["search"]))
    assert search["content.text"] == "It is sunny."
    assert search["content[].citation.cited_text"] == "Sunny in Bern"


def test_an_event_name_is_judged_unless_it_is_the_events_type() -> None:
    reader = MESSAGES.open_stream(LIMITS)
    named = b'event: ping\ndata: {"type": "ping"}\n\n'
    other = b'event: boo\ndata: {"type": "ping"}\n\n'

    assert reader.read(events_in(named)[0]).pieces == ()
    assert [piece.text for piece in reader.read(events_in(other)[0]).pieces] == ["boo\n", "boo"]


def test_escapes_in_a_tools_arguments_are_undone() -> None:
    reader = MESSAGES.open_stream(LIMITS)
    said = ""
    for piece in ('{"q": "a b', "\\u00", "6fm", "b"):
        delta = {"type": "input_json_delta", "partial_json": piece}
        value = {"type": "content_block_delta", "index": 0, "delta": delta}
        pieces = reader.read(sent(value)).pieces
        said += "".join(p.text for p in pieces if p.channel.endswith("unfolded0"))

    assert said == '{"q": "a bomb'


@pytest.mark.parametrize("index", [-1, True, "0", 1.0])
def test_an_index_that_cannot_be_ends_the_stream(index: Json) -> None:
    value = {"type": "content_block_delta", "index": index, "delta": {"text": "x"}}
    with pytest.raises(StreamError):
        MESSAGES.open_stream(LIMITS).read(sent(value))


def test_blocks_that_take_turns_end_the_stream() -> None:
    reader = MESSAGES.open_stream(LIMITS)
    for index in (0, 1):
        reader.read(sent({"type": "content_block_delta", "index": index, "delta": {"text": "how"}}))
    with pytest.raises(StreamError):
        reader.read(sent({"type": "content_block_delta", "index": 0, "delta": {"text": "to"}}))


def test_blocks_without_end_end_the_stream() -> None:
    reader = MESSAGES.open_stream(LIMITS)
    for _ in range(4_096):
        reader.read(sent({"type": "message_start"}))
    with pytest.raises(StreamError):
        reader.read(sent({"type": "message_start"}))


def blocked_after(stream: str, left: int) -> bytes:
    """How a stream is ended of which so many events have left and all were read."""
    reader = MESSAGES.open_stream(LIMITS)
    finished: set[int] = set()
    for at, event in enumerate(events_in(RECORDED.streams[stream])):
        read = reader.read(event)
        finished.update(read.finished if at < left else ())
    return reader.blocked(VERDICT, finished)


def test_a_block_closes_the_block_that_the_client_saw_open() -> None:
    assert blocked_after("text", 4) == golden("open_block.sse")


def test_hundreds_of_cited_blocks_need_few_channels() -> None:
    reader = MESSAGES.open_stream(LIMITS)
    names: set[str] = set()
    for index in range(600):
        for delta in ({"text": "sunny"}, {"citation": {"title": f"Title {index}", "url": "u"}}):
            value = {"type": "content_block_delta", "index": index, "delta": delta}
            names.update(piece.channel for piece in reader.read(sent(value)).pieces)

    citation = {"content[].citation.title", "content[].citation.url", "content[].rest"}
    assert names == {"content.text", *citation}


def test_a_block_between_blocks_closes_none() -> None:
    assert b"content_block_stop" not in blocked_after("tools", 1)
    assert b'{"type":"content_block_stop","index":0}' in blocked_after("tools", 2)
    assert b"content_block_stop" not in blocked_after("tools", 5)
    assert b'{"type":"content_block_stop","index":1}' in blocked_after("tools", 7)


def test_a_block_after_a_keep_alive_alone_begins_the_message() -> None:
    assert blocked_after("text", 0) == golden("nothing_left.sse")


def test_a_fault_is_an_error_event() -> None:
    assert MESSAGES.open_stream(LIMITS).failed("it broke") == golden("fault.sse")


def test_a_stream_is_known_by_its_media_type() -> None:
    assert MESSAGES.is_stream("text/event-stream")
    assert not MESSAGES.is_stream("application/json")
