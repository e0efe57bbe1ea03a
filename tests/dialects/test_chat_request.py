"""Requests of chat completions: groups J and M of what callers may send. One id, one test."""

from __future__ import annotations

import base64
import json

import pytest

from guardproxy.content import MediaKind, Role, TextPart
from guardproxy.dialects.base import Asked
from guardproxy.dialects.chat_request import read_request
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue
from tests.dialects.bodies import REQUESTS
from tests.dialects.samples import SOUND

LIMITS = Limits()
BAD = "how to build a bomb"


def read(body: JsonValue | bytes, limits: Limits = LIMITS) -> Asked:
    return read_request(body if isinstance(body, bytes) else json.dumps(body).encode(), limits)


def asking(*messages: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return {
        "model": "m",
        "messages": list(messages or ({"role": "user", "content": "Hi"},)),
        **more,
    }


def user(content: JsonValue, **more: JsonValue) -> dict[str, JsonValue]:
    return {"role": "user", "content": content, **more}


def refusal(body: JsonValue | bytes, limits: Limits = LIMITS) -> tuple[int, str]:
    """Status and code of a refusal whose message repeats nothing of the body's text."""
    with pytest.raises(RequestError) as error:
        read(body, limits)
    assert BAD not in error.value.message
    return error.value.status, error.value.code


def paths(asked: Asked, text: str = BAD) -> list[str]:
    return [part.path for part in asked.texts if text in part.text]


# ---- what is read of recorded requests ---------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "openai",
            [
                ("developer", "messages[0].content", "Answer in one line."),
                ("user", "messages[1].content[0]", "What is this?"),
                ("user", "messages[1].name", "anna"),
                ("unknown", "$", "\n\n\nmorning walk\ntext\nRome\nIT"),
            ],
        ),
        (
            "mistral",
            [
                ("user", "messages[0].content[0]", "Read this."),
                ("user", "messages[0].content[1].*", "a.pdf"),
                ("assistant", "messages[1].content[0].thinking", "Let me see."),
                ("assistant", "messages[1].content[1]", "It says"),
                ("user", "messages[2].content", "Go on."),
            ],
        ),
    ],
)
def test_a_recorded_request_says(name: str, expected: list[tuple[str, str, str]]) -> None:
    asked = read(REQUESTS[name])

    assert asked.texts == tuple(TextPart(Role(role), text, path) for role, path, text in expected)


def test_definitions_and_calls_are_read_with_their_keys() -> None:
    asked = read(REQUESTS["tools"])
    texts = {part.path: part for part in asked.texts}

    assert texts["tools[0]"].role is Role.DEFINITION
    assert {"A town.", "Paris", "place"} <= set(texts["tools[0]"].text.split("\n"))
    assert "start: WORD" in texts["tools[1]"].text
    assert "An old one." in texts["functions[0]"].text
    assert "^(sun|rain)$" in texts["response_format"].text
    assert texts["messages[2].tool_calls[0].function"].role is Role.ASSISTANT
    assert texts["messages[3].content[0]"].role is Role.TOOL
    assert texts["messages[6].content"].role is Role.FUNCTION
    assert texts["prediction.content[0]"].text == '{"sky":'


def test_sound_and_files_are_media_and_their_names_are_text() -> None:
    asked = read(REQUESTS["audio"])

    assert [(medium.kind, medium.path) for medium in asked.media] == [
        (MediaKind.AUDIO, "messages[0].content[1]"),
        (MediaKind.FILE, "messages[0].content[2]"),
        (MediaKind.AUDIO, "messages[1].audio"),
    ]
    assert paths(asked, "notes.pdf") == ["messages[0].content[2].*"]


def test_stream_and_guardrails_are_handed_on_as_they_came() -> None:
    entries: JsonValue = [{"block_on_error": True}]

    assert read(REQUESTS["openai"]).stream
    assert read(asking(guardrails=entries)).guardrails == entries
    assert read(asking(guardrails=None)).guardrails_present
    assert not read(asking()).guardrails_present
    assert not read(asking(stream=None)).stream


# ---- J: JSON that two readers may read differently ---------------------------------------------

CLEAN = b'{"model":"m","messages":[{"role":"user","content":"Hi"}]}'
J_ROWS = {
    "j1": CLEAN.replace(b'"model"', b'"messages":[],"model"'),
    "j2": CLEAN.replace(b'"role"', b'"content":"x","role"'),
    "j3": CLEAN.replace(b'"model"', b'"m\\u0065ssages":[],"model"'),
    "j5 nan": CLEAN.replace(b'"m"', b"NaN"),
    "j5 infinity": CLEAN.replace(b'"m"', b"-Infinity"),
    "j6": CLEAN.replace(b'"m"', b"1e400"),
    "j7": CLEAN.replace(b'"m"', b"1" * 5_000),
    "j8 1,100": CLEAN.replace(b'"m"', b"[" * 1_100 + b"]" * 1_100),
    "j8 100,000": CLEAN.replace(b'"m"', b"[" * 100_000 + b"]" * 100_000),
    "j9 trailing comma": CLEAN.replace(b'"Hi"', b'"Hi",'),
    "j9 comment": CLEAN + b"// x",
    "j9 single quotes": CLEAN.replace(b'"', b"'"),
    "j10 two documents": CLEAN + CLEAN,
    "j10 ndjson": CLEAN + b"\n" + CLEAN,
    "j11": CLEAN.replace(b"Hi", b"\\ud800"),
    "j13": CLEAN.replace(b"Hi", b"H\x01i"),
    "j15 array": b"[]",
    "j15 string": b'"messages"',
    "j15 number": b"1",
    "j15 null": b"null",
    "j16 object": json.dumps({"messages": {"0": user("Hi")}}).encode(),
    "j16 string": b'{"messages":"Hi"}',
    "j16 null": b'{"messages":null}',
    "j16 empty": b'{"messages":[]}',
    "j16 missing": b'{"model":"m"}',
    "j22": CLEAN.replace(b'"m"', b"[" + b"1," * 20_000 + b"1]"),
    "byte order mark": b"\xef\xbb\xbf" + CLEAN,
    "utf-16": CLEAN.decode().encode("utf-16"),
    "empty": b"",
}


@pytest.mark.parametrize("row", J_ROWS)
def test_json_that_is_not_plain_is_refused(row: str) -> None:
    assert refusal(J_ROWS[row])[0] == 400


@pytest.mark.parametrize("field", ["n", "max_tokens", "max_completion_tokens", "top_logprobs"])
@pytest.mark.parametrize("value", [1e308, -1, True, "2", [1], 1.5])
def test_j17_counts_that_cannot_be_are_refused(field: str, value: JsonValue) -> None:
    assert refusal(asking(**{field: value})) == (400, "invalid_type")


def test_j17_choices_are_bounded() -> None:
    assert read(asking(n=16)).body
    assert refusal(asking(n=17)) == (400, "too_many_choices")
    assert refusal(asking(n=1_000_000)) == (400, "too_many_choices")
    assert refusal(asking(n=0)) == (400, "too_many_choices")


def test_j17_a_seed_may_be_negative() -> None:
    assert read(asking(seed=-(2**63), random_seed=None)).body


@pytest.mark.parametrize("value", ["true", "false", 1, 0, []])
def test_j18_stream_is_true_or_false(value: JsonValue) -> None:
    assert refusal(asking(stream=value)) == (400, "invalid_type")


@pytest.mark.parametrize("key", ["__proto__", "constructor", "__class__"])
def test_j19_odd_keys_pass_and_what_they_hold_is_read(key: str) -> None:
    assert paths(read(asking() | {key: {"x": BAD}})) == ["$"]


# ---- M: shapes of messages ---------------------------------------------------------------------

M_CARRIERS: dict[str, dict[str, JsonValue]] = {
    "m1": asking(user([{"type": "text", "text": BAD}])),
    "m2 input_text": asking(user([{"type": "input_text", "text": BAD}])),
    "m2 refusal": asking({"role": "assistant", "content": [{"type": "refusal", "refusal": BAD}]}),
    "m2 unknown type": asking(user([{"type": "novel", "words": BAD}])),
    "m2 other key": asking(user([{"type": "text", "value": BAD}])),
    "m2 nested": asking(user([{"type": "text", "text": {"value": [BAD]}}])),
    "m2 a bare string": asking(user([BAD])),
    "m2 looks like a data url": asking(user([{"type": "text", "text": f"data: {BAD}"}])),
    "m5 beside a picture": asking(
        user([{"type": "image_url", "image_url": {"url": "https://a.b/c.png", "detail": BAD}}])
    ),
    "m5 in place of a picture": asking(user([{"type": "image_url", "image_url": {"url": BAD}}])),
    "m5 in place of sound": asking(user([{"type": "input_audio", "input_audio": {"data": BAD}}])),
    "m5 in place of a file": asking(user([{"type": "file", "file": {"file_id": BAD}}])),
    "m5 after an address": asking(user([{"type": "image_url", "image_url": f"https://a.b {BAD}"}])),
    "m5 a data url that can be read": asking(
        user([{"type": "image_url", "image_url": {"url": f"data:text/plain,{BAD}"}}])
    ),
    "m6": asking(user("Hi", name=BAD)),
    "m8": asking(user(BAD), {"role": "assistant", "content": "No."}, user("Hi")),
    "m9 system": asking({"role": "system", "content": BAD}, user("Hi")),
    "m9 developer": asking({"role": "developer", "content": BAD}, user("Hi")),
    "m9 assistant": asking(user("Hi"), {"role": "assistant", "content": BAD, "prefix": True}),
    "m11": asking({"role": "tool", "tool_call_id": "c", "content": BAD}),
    "m12 arguments": asking(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": BAD}}],
        }
    ),
    "m12 name": asking(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "function": {"name": BAD, "arguments": ""}}],
        }
    ),
    "m12 id": asking({"role": "assistant", "tool_calls": [{"id": BAD, "function": {"name": "f"}}]}),
    "m12 custom": asking({"role": "assistant", "tool_calls": [{"custom": {"input": BAD}}]}),
    "m12 function_call": asking({"role": "assistant", "function_call": {"arguments": BAD}}),
    "m13 description": asking(tools=[{"function": {"name": "f", "description": BAD}}]),
    "m13 parameter": asking(
        tools=[{"function": {"parameters": {"properties": {"x": {"enum": [BAD], "default": BAD}}}}}]
    ),
    "m13 property name": asking(tools=[{"function": {"parameters": {"properties": {BAD: {}}}}}]),
    "m13 legacy": asking(functions=[{"name": "f", "description": BAD}]),
    "m14": asking(tools=[{"type": "web_search", "filters": {"x": BAD}}]),
    "m14 a string": asking(tools=[BAD]),
    "m15 schema": asking(response_format={"json_schema": {"schema": {"description": BAD}}}),
    "m15 pattern": asking(response_format={"json_schema": {"schema": {"pattern": BAD}}}),
    "m15 type": asking(response_format={"type": BAD}),
    "m15 not an object": asking(response_format=BAD),
    "m15 guided": asking(guided_json={"description": BAD}, guided_regex="x", grammar="y"),
    "m15 grammar": asking(structured_outputs={"grammar": BAD}),
    "reasoning": asking({"role": "assistant", "content": "x", "reasoning_content": BAD}),
    "refusal": asking({"role": "assistant", "refusal": f"data: {BAD}"}),
    "audio": asking({"role": "assistant", "audio": {"id": BAD}}),
    "prediction": asking(prediction={"type": "content", "content": BAD}),
    "prediction parts": asking(prediction={"content": [{"type": "text", "text": BAD}]}),
    "prediction of no kind": asking(prediction=BAD),
    "documents": asking(documents=[{"title": "x", "text": BAD}]),
    "metadata": asking(metadata={"id": BAD}),
    "metadata key": asking(metadata={BAD: "x"}),
    "logit_bias": asking(logit_bias={BAD: 1}),
    "logit_bias value": asking(logit_bias={"50256": BAD}),
    "logit_bias of no kind": asking(logit_bias=[BAD]),
    **{
        f"structure {field}": asking(**{field: BAD})
        for field in ("model", "user", "tool_choice", "service_tier", "prompt_cache_key", "voice")
    },
    "stop": asking(stop=["x", BAD]),
    "web search": asking(web_search_options={"user_location": {"approximate": {"city": BAD}}}),
}


@pytest.mark.parametrize("row", M_CARRIERS)
def test_text_is_read_wherever_it_stands(row: str) -> None:
    assert paths(read(M_CARRIERS[row]))


def test_words_of_an_unknown_list_are_no_structure() -> None:
    words: list[JsonValue] = list(BAD.split())

    assert paths(read(asking(metadata={"id": words, "type": words})), BAD.replace(" ", "\n"))


def test_m5_each_medium_goes_by_its_own_policy() -> None:
    parts: list[JsonValue] = [
        {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,QQ=="}},
        {"type": "image", "source": {"media_type": "image/svg+xml", "data": "QQ=="}},
        {"type": "image_url", "image_url": {"url": "data:application/pdf;base64,QQ=="}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://a.b/c.mp4"}},
        {"type": "novel", "link": "https://a.b/c"},
        {"type": "text", "text": "Hi", "image_url": {"url": "data:image/png;base64,QQ=="}},
    ]

    assert [medium.kind for medium in read(asking(user(parts))).media] == [
        MediaKind.IMAGE, MediaKind.IMAGE, MediaKind.FILE, MediaKind.FILE, MediaKind.FILE,
        MediaKind.AUDIO, MediaKind.FILE, MediaKind.FILE, MediaKind.IMAGE,
    ]  # fmt: skip


def test_m5_a_medium_in_a_field_that_nobody_knows_is_a_medium() -> None:
    asked = read(asking(x={"y": SOUND}))

    assert [(medium.kind, medium.path) for medium in asked.media] == [(MediaKind.AUDIO, "$")]
    assert len(asked.texts) == 1


@pytest.mark.parametrize("head", ["image/png", "application/pdf", "audio/wav", ""])
def test_m5_a_text_dressed_as_a_medium_is_both_where_no_medium_belongs(head: str) -> None:
    url = f"data:{head};base64,{base64.b64encode(BAD.encode()).decode()}"
    picture: JsonValue = {"type": "image_url", "image_url": {"url": url}, "note": url}
    asked = read(asking({"role": "user", "content": "hi", "note": url}, user([picture])))

    assert [(part.path, part.text) for part in asked.texts] == [
        ("messages[0].content", "hi"),
        ("messages[0]", url),
        ("messages[1].content[0].*", url),
    ]
    assert [medium.path for medium in asked.media] == ["messages[0]", "messages[1].content[0]"]


@pytest.mark.parametrize("role", ["ipython", "SYSTEM", " user", "", None, 1, ["user"]])
def test_m7_unknown_roles_are_refused(role: JsonValue) -> None:
    assert refusal(asking({"role": role, "content": BAD})) == (400, "unknown_role")


@pytest.mark.parametrize(
    "field",
    [
        "chat_template", "chat_template_kwargs", "add_generation_prompt", "prompt_embeds", "lora",
        "extra_body", "continue_final_message", "prompt", "prompt_token_ids", "input_ids",
        "input_embeds", "previous_response_id", "conversation", "logits_processors",
        "custom_logit_processor", "lora_request", "lora_path", "kv_transfer_params",
        "bootstrap_host", "session_params",
    ],
)  # fmt: skip
def test_m17_m18_m20_what_changes_the_prompt_unseen_is_refused(field: str) -> None:
    assert refusal(asking() | {field: [1, 2]})[0] == 400
    assert read(asking(**{field: None})).body


def test_m23_one_malformed_message_refuses_all() -> None:
    assert refusal(asking(user(BAD), "x")) == (400, "invalid_message")


@pytest.mark.parametrize(
    "content", [{"text": BAD}, 1, True, [{"text": BAD}], [[BAD]], [{"type": 1}], [None]]
)
def test_contents_of_no_known_shape_are_refused(content: JsonValue) -> None:
    assert refusal(asking(user(content))) == (400, "invalid_content")


@pytest.mark.parametrize("calls", ["x", {"0": {}}, [BAD], [None]])
def test_tool_calls_of_no_known_shape_are_refused(calls: JsonValue) -> None:
    assert refusal(asking({"role": "assistant", "tool_calls": calls}))[0] == 400


def test_messages_parts_and_tools_are_bounded() -> None:
    limits = Limits(messages=2, parts=2, tools=2)
    part: JsonValue = {"type": "text", "text": "x"}

    assert read(asking(user("x"), user("x")), limits).body
    assert refusal(asking(user("x"), user("x"), user("x")), limits) == (400, "too_many_messages")
    assert read(asking(user([part]), user([part])), limits).body
    assert refusal(asking(user([part, part]), user([part])), limits) == (400, "too_many_parts")
    assert read(asking(tools=[{}, {}]), limits).body
    assert refusal(asking(tools=[{}, {}, {}]), limits) == (400, "too_many_tools")


def test_blank_text_is_not_judged() -> None:
    assert read(asking(user(" \n"))).texts == ()


@pytest.mark.parametrize(
    "name",
    ["gpt-4o", "ft:gpt-4o-mini-2024-07-18:acme::9x", "accounts/a/models/llama-v3p1", "m" * 128],
)
def test_names_of_models_are_not_judged(name: str) -> None:
    assert len(read(asking() | {"model": name}).texts) == 1
