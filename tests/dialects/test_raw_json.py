"""Routes that no dialect knows: every string is text, both ways."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import MediaKind, Role
from guardproxy.dialects.base import EventRead, Fault
from guardproxy.dialects.raw_json import RawJson
from guardproxy.errors import RequestError, StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent
from guardproxy.strict_json import JsonValue
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict
from tests.dialects.samples import DOCUMENT, PICTURE, SOUND

LIMITS = Limits()
RAW = RawJson()


def events(*values: JsonValue) -> list[EventRead]:
    stream = RAW.open_stream(LIMITS)
    return [stream.read(sse(json.dumps(value))) for value in values]


def sse(data: str | None, event: str = "", extra: tuple[str, ...] = ()) -> ServerSentEvent:
    return ServerSentEvent(data=data, event=event, raw=b"", extra=extra)


def joined(reads: list[EventRead]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for piece in (piece for read in reads for piece in read.pieces):
        texts[piece.channel] = texts.get(piece.channel, "") + piece.text
    return texts


def test_a_request_is_one_text() -> None:
    asked = RAW.read_request(b'{"id": "x1", "input": ["a", {"b c": "d"}]}', LIMITS)

    assert [(part.role, part.text) for part in asked.texts] == [(Role.USER, "x1\na\nd\nb c")]
    assert not asked.stream


def test_an_empty_request_says_nothing() -> None:
    assert RAW.read_request(b"", LIMITS).texts == ()


def test_a_request_is_read_strictly() -> None:
    with pytest.raises(RequestError):
        RAW.read_request(b'{"a": 1, "a": 2}', LIMITS)


def test_media_go_by_their_kind() -> None:
    asked = RAW.read_request(json.dumps([SOUND, DOCUMENT, "data:;base64,QQ=="]).encode(), LIMITS)

    assert [medium.kind for medium in asked.media] == [
        MediaKind.AUDIO, MediaKind.FILE, MediaKind.FILE,
    ]  # fmt: skip
    assert [part.text for part in asked.texts] == ["data:;base64,QQ=="]


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b"", []), (b" \n", []), (b"plain", ["plain"]), (b"12", ["12"]),
        (b'"a"', ["a"]), (b'[{"x": "a"}]', ["a"]), (b"{}", []),
    ],
)  # fmt: skip
def test_an_answer_is_json_or_plain_text(body: bytes, texts: list[str]) -> None:
    assert [part.text for part in RAW.read_answer(body, LIMITS).texts] == texts


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b"[", b"\xff", b"\xef\xbb\xbf{}", b"\0a"])
def test_an_answer_that_cannot_be_read_safely_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        RAW.read_answer(body, LIMITS)


def test_each_path_of_the_events_is_a_text_of_its_own() -> None:
    reads = events({"delta": "bo", "n": {"x": "1"}}, {"delta": "mb", "n": {"x": "2"}})

    assert joined(reads) == {"delta": "bomb", "n.x": "12"}


def test_keys_that_can_be_read_are_said() -> None:
    assert joined(events({"a bomb": 1})) == {"*": "a bomb"}


def test_an_id_that_every_event_repeats_is_said_once() -> None:
    name = "msg_0123456789abcdef"

    assert joined(events({"id": name}, {"id": name})) == {"id": name}
    assert joined(events({"x": "la"}, {"x": "la"})) == {"x": "lala"}
    assert (
        joined(events({"x": "a sentence again "}, {"x": "a sentence again "}))["x"].count("s") == 2
    )


def test_what_frames_an_event_and_what_is_no_json_is_said() -> None:
    stream = RAW.open_stream(LIMITS)

    assert joined([stream.read(sse(None, "name", (" ping",)))])["sse"] == " ping\nname\n"
    assert [p.text for p in stream.read(sse("plain")).pieces] == ["plain\n", "plain"]
    assert [p.text for p in stream.read(sse('"a\\u0062c"')).pieces] == ["abc"]
    assert stream.read(sse(" [DONE]")).last
    assert not stream.read(sse(None)).last


def test_an_event_that_cannot_be_read_safely_ends_the_stream() -> None:
    with pytest.raises(StreamError):
        RAW.open_stream(LIMITS).read(sse('{"a": 1, "a": 2}'))


def test_a_stream_holds_media() -> None:
    (read,) = events({"x": PICTURE})

    assert [medium.kind for medium in read.media] == [MediaKind.IMAGE]
    assert read.pieces == ()


def test_endings_say_what_happened() -> None:
    result = GuardrailResult(
        "moderation_llm_v2", "m", Action.BLOCK, {"hate": CategoryDecision(0.5, 0.9)}
    )
    stream = RAW.open_stream(LIMITS)
    blocked = json.loads(stream.blocked(Verdict((result,)), ()).removeprefix(b"data: "))
    failed = json.loads(stream.failed("it broke").removeprefix(b"data: "))

    assert blocked["error"]["code"] == "guardrail_blocked"
    assert blocked["guardrails"]["results"]["moderation_llm_v2"]["violated"]
    assert failed["error"] == {
        "message": "it broke", "type": "upstream_error", "param": None, "code": "incomplete",
    }  # fmt: skip
    assert stream.decoder().feed(b": x\n\n")[0].extra == ("x",)


def test_refusals_and_faults_are_openais() -> None:
    assert RAW.is_stream("text/event-stream")
    assert not RAW.is_stream("application/json")
    assert RAW.refusal(Verdict()).status == 403
    fault = Fault(400, "no", "invalid_request_error", None, "x")
    assert json.loads(RAW.error_body(fault))["error"]["code"] == "x"


@pytest.mark.parametrize(
    "value",
    [
        {"candidates": [{"content": {"parts": [{"text": "a bo"}, {"text": "mb"}]}}]},
        {"parts": ["a bo", "mb"]},
        [{"text": "a bo"}, {"text": "mb"}],
    ],
)
def test_a_list_is_one_text_as_well(value: JsonValue) -> None:
    body = json.dumps(value).encode()
    (read,) = events(value)

    assert "\na bomb" in [part.text for part in RAW.read_request(body, LIMITS).texts]
    assert "\na bomb" in [part.text for part in RAW.read_answer(body, LIMITS).texts]
    assert "\na bomb" in joined([read]).values()


def test_a_joined_text_stands_for_itself() -> None:
    (whole, around) = RAW.read_request(b'["a bo", "mb"]', LIMITS).texts

    assert (whole.path, around.path) == ("$", "$..$")


def test_a_streams_lists_are_one_text_over_events_in_lines_and_without() -> None:
    texts = joined(events({"parts": ["How", "do"]}, {"parts": ["I", "bo", "mb"]}))

    assert texts["parts[].seam"] == "\nHowdoIbomb"
    assert texts["parts[].lines"] == "How\ndo\nI\nbo\nmb\n"


def test_candidates_that_take_turns_stay_apart_as_well() -> None:
    texts = joined(events({"said": ["bo", "x"]}, {"said": ["mb", "y"]}))

    assert (texts["said[0]"], texts["said[1]"]) == ("bomb", "xy")


def test_one_part_an_event_is_judged_once() -> None:
    part: JsonValue = {"candidates": [{"content": {"parts": [{"text": "la "}]}}]}

    assert joined(events(part, part)) == {"candidates[0].content.parts[0].text": "la la "}


def test_joining_a_long_list_at_most_doubles_the_text() -> None:
    texts = RAW.read_request(json.dumps(["word " * 100] * 500).encode(), LIMITS).texts

    assert sum(len(part.text) for part in texts) < 2.1 * 500 * 500


def test_media_beside_their_type_and_by_address_are_media() -> None:
    sound: JsonValue = {"inlineData": {"mimeType": "audio/L16", "data": "QUJD" * 100}}
    stored: JsonValue = {"fileData": {"fileUri": "https://example.com/a.pdf"}}
    body = json.dumps({"contents": [{"parts": [sound, stored]}]}).encode()

    asked = RAW.read_request(body, LIMITS)
    answered = RAW.read_answer(body, LIMITS)
    (read,) = events({"contents": [{"parts": [sound, stored]}]})

    # A link in an answer is nothing that a model reads.
    assert {(part.kind, part.size) for part in asked.media} == {
        (MediaKind.AUDIO, 400), (MediaKind.FILE, 25),
    }  # fmt: skip
    assert [part.kind for part in answered.media] == [MediaKind.AUDIO]
    assert [part.kind for part in read.media] == [MediaKind.AUDIO]


def test_a_signature_of_a_thought_is_no_medium() -> None:
    part = {"text": "So", "thoughtSignature": "CiQB0e2Kb7" * 60}

    assert RAW.read_request(json.dumps({"parts": [part]}).encode(), LIMITS).media == ()


@pytest.mark.parametrize(
    "body",
    [
        {"cachedContent": "cachedContents/1"},
        {"Mcp_servers": [{"url": "https://example.com"}]},
        {"tools": [{"type": "mcp", "server_url": "https://example.com"}]},
        {"Tools": [{"fileSearch": {"fileSearchStoreNames": ["stores/1"]}}]},
    ],
)
def test_m5_what_a_body_names_that_is_not_in_it_is_a_file(body: JsonValue) -> None:
    asked = RAW.read_request(json.dumps(body).encode(), LIMITS)

    assert [medium.kind for medium in asked.media] == [MediaKind.FILE]


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"file_id": "f"}, "container": None, "tools": None},
        {"tools": [{"name": "f", "parameters": {"file_ids": ["a"]}}]},
        [{"file_id": "f"}],
    ],
)
def test_m5_what_only_has_such_a_name_is_none(body: JsonValue) -> None:
    assert RAW.read_request(json.dumps(body).encode(), LIMITS).media == ()
