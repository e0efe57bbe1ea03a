"""What Ollama answers, whole and as lines, and how a stream is ended."""

from __future__ import annotations

import json

import pytest

from guardproxy.content import MediaKind
from guardproxy.dialects.base import Fault
from guardproxy.dialects.ollama import OllamaChat, OllamaGenerate
from guardproxy.errors import StreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent
from guardproxy.verdict import Action, GuardrailResult, Verdict
from tests.dialects.bodies import Json
from tests.dialects.recorded import channels, reads, recorded
from tests.dialects.samples import VERDICT

LIMITS = Limits()
CHAT, GENERATE = OllamaChat(), OllamaGenerate()


def answered(value: Json) -> dict[str, str]:
    body = json.dumps(value).encode()
    return {part.path: part.text for part in CHAT.read_answer(body, LIMITS).texts}


def line(value: Json) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(value), "", b"", ())


def test_only_lines_of_json_are_a_stream() -> None:
    assert CHAT.is_stream("application/x-ndjson")
    assert not CHAT.is_stream("application/json")
    assert not GENERATE.is_stream("text/event-stream")


def test_a_conversations_answer_says_its_message() -> None:
    assert answered(recorded(CHAT).answers["plain"]) == {
        "$.message.thinking": "The user asks about the sky.",
        "$.message.content": "Because of Rayleigh scattering.",
        "$.message.seam": "\nThe user asks about the sky.Because of Rayleigh scattering.",
    }
    tools = answered(recorded(CHAT).answers["tools"])
    assert tools["$.message.tool_calls[0].function.name"] == "get_weather"
    assert "Paris, the capital" in tools["$.message.tool_calls[0].function.arguments"]
    assert tools["$.logprobs.content"] == "Sky"
    assert tools["$.logprobs.top"] == "Sea"


def test_a_prompts_answer_says_its_response() -> None:
    assert answered(recorded(GENERATE).answers["plain"]) == {
        "$.response": "The sky is blue because it is the color of the sky.",
        "$.thinking": "Why is it?",
        "$.seam": "\nWhy is it?The sky is blue because it is the color of the sky.",
    }


def test_a_picture_that_a_model_made_is_a_medium() -> None:
    value = recorded(GENERATE).answers["image"]
    answer = GENERATE.read_answer(json.dumps(value).encode(), LIMITS)
    empty = GENERATE.read_answer(b'{"image": ""}', LIMITS)

    assert answer.texts == empty.texts == ()
    assert empty.media == ()
    assert [(part.kind, part.path) for part in answer.media] == [(MediaKind.IMAGE, "$.image")]
    assert list(answered({"image": "kill them all"}).values()) == ["kill them all"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["some words"], "some words"),
        ({"message": "some words"}, "some words"),
        ({"response": ["some", " words"]}, "some words"),
        ({"error": "some words"}, "some words"),
        ({"done_reason": "some words"}, "some words"),
        ({"message": {"images": ["some words"]}}, "some words"),
    ],
)
def test_other_shapes_are_text(value: Json, text: str) -> None:
    assert list(answered(value).values()) == [text]


def test_a_stream_continues_each_text() -> None:
    assert channels(reads(CHAT, recorded(CHAT).streams["thinking"])) == {
        "$.message.thinking": "The sky is blue.",
        "$.message.content": "Because of scattering.",
        "$.message.seam": "\nThe sky is blue.Because of scattering.",
    }
    assert channels(reads(GENERATE, recorded(GENERATE).streams["plain"])) == {
        "$.response": "The sky is blue."
    }
    tools = channels(reads(CHAT, recorded(CHAT).streams["tools"]))
    assert "Paris, the capital" in tools["$.message.tool_calls[0].function.arguments"]


def test_s19_nothing_follows_what_is_done() -> None:
    for dialect in (CHAT, GENERATE):
        for stream in recorded(dialect).streams.values():
            assert [read.last for read in reads(dialect, stream)][-1]
    reader = CHAT.open_stream(LIMITS)
    assert not reader.read(line({"done": "yes"})).last
    assert not reader.read(line(["done"])).last
    assert not reader.read(ServerSentEvent(None, "", b"\n", ())).last


@pytest.mark.parametrize(
    "data", ["words", '{"a": 1}\r{"a": 2}', "{", '{"a": 1, "a": 2}', "\ufeff{}"]
)
def test_s17_what_is_no_json_ends_the_stream(data: str) -> None:
    with pytest.raises(StreamError):
        CHAT.open_stream(LIMITS).read(ServerSentEvent(data, "", b"", ()))


@pytest.mark.parametrize(
    ("dialect", "silent"),
    [
        (CHAT, {"message": {"role": "assistant", "content": ""}}),
        (GENERATE, {"response": ""}),
    ],
)
def test_s34_a_block_is_a_last_object(dialect: OllamaChat | OllamaGenerate, silent: Json) -> None:
    reader = dialect.open_stream(LIMITS)
    reader.read(line({"model": "llama3.2", "created_at": "2023-08-04T08:52:19Z"}))
    reader.read(line({"model": "no such model", "created_at": 1}))
    end = reader.blocked(VERDICT, ())
    value = json.loads(end)

    assert end.endswith(b"\n")
    assert value.pop("guardrails")["results"]["moderation_llm_v2"]["violated"]
    assert value == {
        "model": "llama3.2",
        "created_at": "2023-08-04T08:52:19Z",
        **silent,
        "done": True,
        "done_reason": "content_filter",
    }


def test_no_line_is_harmless_so_none_keeps_a_stream_alive() -> None:
    assert CHAT.open_stream(LIMITS).keep_alive == b""


def test_a_failed_judgement_is_told_from_a_block() -> None:
    failed = GuardrailResult("moderation_llm_v2", "m", Action.BLOCK, {}, True, "deadline")
    refusal = json.loads(CHAT.refusal(Verdict((failed,))).body)

    assert refusal["error"] == "Request blocked because its content could not be judged"
    assert refusal["code"] == "guardrail_failed"


def test_errors_are_strings_as_ollamas_clients_show_them() -> None:
    refusal = json.loads(CHAT.refusal(VERDICT).body)

    assert CHAT.refusal(VERDICT).status == 403
    assert refusal["error"] == "Content blocked by guardrail"
    assert refusal["code"] == "dangerous"
    assert json.loads(CHAT.error_body(Fault(400, "wrong", "kind", None, "code"))) == {
        "error": "wrong",
        "type": "kind",
        "param": None,
        "code": "code",
    }
    assert json.loads(CHAT.open_stream(LIMITS).failed("it broke")) == {"error": "it broke"}
