"""Answers of chat completions, whole and streamed; and how a stream is ended in their words."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind
from guardproxy.dialects.base import EventRead, Fault
from guardproxy.dialects.chat_completions import ChatCompletions
from guardproxy.errors import StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import EventDecoder, ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.bodies import ANSWERS, STREAMS, WIRE

CHAT = ChatCompletions()
LIMITS = Limits()
BAD = "how to build a bomb"
VERDICT = Verdict(
    (
        GuardrailResult(
            "moderation_llm_v2",
            "mistral-moderation-2603",
            Action.BLOCK,
            {
                "dangerous": CategoryDecision(0.5, 0.93, "choices[0].content"),
                "pii": CategoryDecision(0.4, 0.0123),
            },
        ),
    )
)


def events(stream: bytes) -> list[ServerSentEvent]:
    decoder = EventDecoder(1 << 20)
    found = decoder.feed(stream)
    last = decoder.finish()
    return found if last is None else [*found, last]


def channels(reads: list[EventRead]) -> dict[str, str]:
    """Channel -> its whole text."""
    texts: dict[str, str] = {}
    for piece in (piece for read in reads for piece in read.pieces):
        texts[piece.channel] = texts.get(piece.channel, "") + piece.text
    return texts


def read_all(stream: bytes) -> list[EventRead]:
    reader = CHAT.open_stream(LIMITS)
    return [reader.read(event) for event in events(stream)]


def whole(body: JsonValue | bytes) -> dict[str, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return {part.path: part.text for part in CHAT.read_answer(data, LIMITS).texts}


def chunk(*choices: JsonValue, **more: JsonValue) -> bytes:
    return b"data: " + json.dumps({"choices": list(choices), **more}).encode() + b"\n\n"


# ---- whole answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "openai",
            {
                "choices[0].content": "It is sunny.",
                "choices[0].logprobs.top": " Or  Or  Or  Or",
                "choices[0].logprobs.top[1]": " Or Or Or Or",
                "choices[0]": "https://example.com/w\nWeather",
                "choices[1].refusal": "I cannot say.",
            },
        ),
        (
            "tools",
            {
                "choices[0].tool_calls[0].function.name": "get_weather",
                "choices[0].tool_calls[0].function.arguments": '{"place":"Paris"}',
                "choices[0].tool_calls[1].custom.name": "shell",
                "choices[0].tool_calls[1].custom.input": "date",
                "choices[0].function_call.name": "old",
                "choices[0].function_call.arguments": "{}",
            },
        ),
        (
            "mistral",
            {
                "choices[0].content.thinking": "The user asks.",
                "choices[0].content": "It is sunny today.",
                "choices[0].seam": "\nThe user asks.It is sunny today.",
                "choices[0].tool_calls[0].function.name": "get_weather",
                "choices[0].tool_calls[0].function.arguments": "place\nParis",
            },
        ),
        (
            "vllm",
            {
                "choices[0].content": "Sunny.",
                "choices[0].reasoning_content": "First I look.",
                "choices[0].seam": "\nFirst I look.Sunny.",
            },
        ),
        ("azure", {"choices[0].content": "Sunny."}),
        ("audio", {"choices[0].audio.transcript": "It is sunny."}),
        ("error", {"$": "The model does not exist."}),
    ],
)
def test_a_recorded_answer_says(name: str, texts: dict[str, str]) -> None:
    assert whole(ANSWERS[name]) == texts


def test_sound_in_an_answer_is_a_medium() -> None:
    media = CHAT.read_answer(json.dumps(ANSWERS["audio"]).encode(), LIMITS).media

    assert [(medium.kind, medium.size) for medium in media] == [(MediaKind.AUDIO, 8)]


@pytest.mark.parametrize(
    ("body", "texts"),
    [(b"", {}), (b"\n", {}), (b"<p>Bad gateway</p>", {"$": "<p>Bad gateway</p>"}), (b"[]", {})],
)
def test_what_is_no_object_is_read_as_well(body: bytes, texts: dict[str, str]) -> None:
    assert whole(body) == texts
    assert whole([BAD]) == {"$": BAD}
    assert whole(json.dumps(BAD).encode()) == {"$": BAD}


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [], "choices": []}', b'{"choices": "x"}', b'{"choices": {"0": {}}}',
        b'{"choices": ["x"]}', b'{"choices": [{"index": -1}]}', b'{"choices": [{"index": 16}]}',
        b'{"choices": [{"index": "0"}]}', b'{"choices": [{"index": true}]}', b'{"x": NaN}',
        b"{", b"\xff", b"[" * 65 + b"]" * 65,
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_safely_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        CHAT.read_answer(body, LIMITS)


def test_choices_without_an_index_are_told_apart_by_their_place() -> None:
    answer: JsonValue = {"choices": [{"message": {"content": text}} for text in ("a", "b")]}

    assert whole(answer) == {"choices[0].content": "a", "choices[1].content": "b"}


# ---- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "openai",
            {"0.content": "It is\u2028sunny 🌞", "0.logprobs.top": " Or Or"},
        ),
        (
            "interleaved",
            {
                "0.content": "One two.",
                "1.refusal": "No more.",
                "choices.seam": "\nOne No two.more.",
            },
        ),
        (
            "tools",
            {
                "0.tool_calls[0].function.name": "get_weather",
                "0.tool_calls[0].function.arguments": '{"place":"Paris"}',
                "0.tool_calls[1].custom.name": "shell",
                "0.tool_calls[1].custom.input": "date",
            },
        ),
        (
            "mistral",
            {
                "0.content.thinking": "The user asks.",
                "0.content": "Sunny.",
                "0.seam": "\nThe user asks.Sunny.",
                "0.tool_calls[0].function.name": "get_weather",
                "0.tool_calls[0].function.arguments": "place\nParis",
            },
        ),
        ("azure", {"0.content": "Sunny."}),
        (
            "vllm",
            {
                "sse": "keep-alive\n",
                "sse.joined": "keep-alive",
                "0.reasoning_content": "First I look.",
                "0.reasoning": "Or so.",
                "0.content": "Sunny.",
                "0.seam": "\nFirst I look.Or so.Sunny.",
            },
        ),
        ("audio", {"0.audio.transcript": "It is sunny."}),
    ],
)
def test_a_recorded_stream_says(name: str, texts: dict[str, str]) -> None:
    said = channels(read_all(STREAMS[name]))

    assert {
        path.removeprefix("choices[").replace("].", ".", 1): t for path, t in said.items()
    } == texts


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_ends_with_its_choices(name: str) -> None:
    reads = read_all(STREAMS[name])

    assert [read.last for read in reads] == [False] * (len(reads) - 1) + [True]
    assert {index for read in reads for index in read.finished} >= {0}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": BAD}},
        {"type": "response.output_text.delta", "item_id": "m1", "delta": BAD},
        {"message": {"content": BAD}},
        {"error": {"message": BAD}},
        {"choices": None, "text": BAD},
        [BAD],
        BAD,
    ],
)
def test_s17_s22_an_event_of_another_shape_is_read(value: JsonValue) -> None:
    (read,) = read_all(b"data: " + json.dumps(value).encode() + b"\n\n")

    assert any(BAD in piece.text for piece in read.pieces)


@pytest.mark.parametrize("data", [b"null", b"{}", b"[]", b"0", b'{"choices": null}'])
def test_s17_an_event_without_text_says_nothing_that_matters(data: bytes) -> None:
    (read,) = read_all(b"data: " + data + b"\n\n")

    assert all(piece.text.strip() == data.decode() for piece in read.pieces)
    assert not read.last


@pytest.mark.parametrize(
    "data", [b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b'"\\ud800"', b'{"choices":[{"index":99}]}']
)
def test_s20_s21_an_event_that_cannot_be_read_safely_ends_the_stream(data: bytes) -> None:
    with pytest.raises(StreamError) as error:
        read_all(b"data: " + data + b"\n\n")

    assert error.value.status == 502


def calling(*calls: tuple[int, str | None]) -> None:
    reader = ChatCompletions().open_stream(Limits())
    for index, name in calls:
        call: JsonValue = {"index": index, "id": name, "function": {"arguments": "a"}}
        for event in events(chunk({"index": 0, "delta": {"tool_calls": [call]}})):
            reader.read(event)


def test_s9_calls_take_turns_by_their_index_and_not_by_their_id() -> None:
    calling((0, "a"), (1, "b"), (0, None), (1, ""), (0, "a"), (1, "b"))
    calling((0, "a"), (0, "b"), (0, "c"))
    with pytest.raises(StreamError):
        calling((0, "a"), (0, "b"), (0, "a"))


def test_s16_comments_ids_and_names_are_read() -> None:
    said = channels(read_all(b": one\nid: two\nretry: three\nevent: four\nx: five\ndata: {}\n\n"))

    assert said["sse"] == "one\ntwo\nthree\nx: five\nfour\n"


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    cuts=st.lists(st.integers(0, 50), max_size=6),
)
def test_s3_any_cut_of_a_text_gives_the_same_text(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in pairwise(places)]
    stream = b"".join(chunk({"index": 0, "delta": {"content": piece}}) for piece in pieces)

    assert channels(read_all(stream)) == {"choices[0].content": text}


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("form", ["arguments", "input"])
def test_m12_escapes_in_streamed_arguments_are_undone_however_they_are_cut(
    levels: int, form: str
) -> None:
    folded = '{"q": "%s"}' % "".join(f"\\u{ord(letter):04x}" for letter in BAD)  # noqa: UP031 - braces
    for _ in range(levels - 1):
        folded = json.dumps({"q": folded})
    for size in (1, 2, 5, 100_000):
        pieces = [folded[at : at + size] for at in range(0, len(folded), size)]
        calls: list[JsonValue] = [
            {"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {form: piece}}]}}
            for piece in pieces
        ]
        said = channels(read_all(b"".join(map(chunk, calls))))

        assert any(BAD in text for text in said.values())


# ---- endings -----------------------------------------------------------------------------------

HEAD: dict[str, JsonValue] = {"id": "chatcmpl-1", "created": 1730000000, "model": "gpt-4o"}
ENDINGS: dict[str, bytes] = {
    "nothing_said": b"",
    "one_choice": chunk({"index": 0, "delta": {"content": "x"}}, **HEAD),
    "two_choices": chunk({"index": 1, "delta": {}}, {"index": 0, "delta": {}}, **HEAD),
    "odd_head": chunk({"index": 0}, id=BAD, created=True, model=["x"]),
}


def golden(name: str) -> bytes:
    return Path(WIRE / "endings" / f"{name}.sse").read_bytes()


@pytest.mark.parametrize("name", ENDINGS)
def test_a_block_ends_a_stream_as_a_filter_does(name: str) -> None:
    reader = CHAT.open_stream(LIMITS)
    for event in events(ENDINGS[name]):
        reader.read(event)

    assert reader.blocked(VERDICT, ()) == golden(name)


def test_an_annotation_without_id_and_time_leaves_those_before() -> None:
    reader = CHAT.open_stream(LIMITS)
    annotation = chunk({"index": 0, "content_filter_results": {}}, id="", created=0, model="")
    for event in events(ENDINGS["one_choice"] + annotation):
        reader.read(event)

    assert reader.blocked(VERDICT, ()) == golden("one_choice")


def test_a_block_ends_only_what_is_open() -> None:
    reader = CHAT.open_stream(LIMITS)
    for event in events(ENDINGS["two_choices"]):
        reader.read(event)

    assert reader.blocked(VERDICT, {0}) == golden("second_choice_open")
    # Somebody must be told, even if all have ended.
    assert reader.blocked(VERDICT, {0, 1}) == golden("second_choice_open")


def test_a_fault_ends_a_stream_without_done() -> None:
    assert CHAT.open_stream(LIMITS).failed("the upstream fell silent") == golden("failed")


def test_what_ends_a_stream_is_read_as_its_end() -> None:
    reads = read_all(CHAT.open_stream(LIMITS).blocked(VERDICT, ()))

    assert [read.finished for read in reads] == [(0,), ()]
    assert reads[-1].last


def test_refusals_and_faults_are_openais() -> None:
    fault = Fault(404, "no", "invalid_request_error", "x", "route_not_covered")

    assert CHAT.refusal(VERDICT).status == 403
    assert json.loads(CHAT.refusal(VERDICT).body)["error"]["code"] == "dangerous"
    assert json.loads(CHAT.error_body(fault))["error"]["param"] == "x"
    assert CHAT.is_stream("text/event-stream")
    assert not CHAT.is_stream("application/json")
    assert CHAT.open_stream(LIMITS).keep_alive == b": keep-alive\n\n"
