"""What all readers of requests share. How it is used is tested with each dialect."""

from __future__ import annotations

import base64
import hashlib

import pytest

from guardproxy.content import MediaKind, Role, TextPart
from guardproxy.dialects.request_reader import RequestReader
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits
from guardproxy.strict_json import JsonValue
from tests.dialects.bodies import Json

LIMITS = Limits(choices=4, parts=3, tools=2)


def refused(error: pytest.ExceptionInfo[RequestError]) -> tuple[str, str | None]:
    return error.value.code, error.value.param


def test_contents_are_strings_or_parts() -> None:
    reader = RequestReader(LIMITS)
    picture: Json = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    reader.content(None, Role.USER, "a")
    reader.content("one", Role.USER, "b")
    reader.content(["two", {"type": "text", "text": "three"}, picture], Role.USER, "c")

    assert reader.texts == [
        TextPart(Role.USER, "one", "b"),
        TextPart(Role.USER, "two", "c[0]"),
        TextPart(Role.USER, "three", "c[1]"),
    ]
    assert [(part.kind, part.path) for part in reader.media] == [(MediaKind.IMAGE, "c[2]")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"text": "x"}, "invalid_content"),
        ([{"text": "x"}], "invalid_content"),
        ([1], "invalid_content"),
        (["x"] * 4, "too_many_parts"),
    ],
)
def test_contents_of_another_shape_are_refused(content: JsonValue, code: str) -> None:
    with pytest.raises(RequestError) as error:
        RequestReader(LIMITS).content(content, Role.USER, "a")

    assert error.value.code == code


SOUND = "UklGRiQAAABXQVZFZm10IBAA" + "QUJD" * 80


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ({"inline_data": {"mime_type": "audio/wav", "data": SOUND}}, MediaKind.AUDIO),
        ({"blob": SOUND}, MediaKind.AUDIO),
        ({"images": ["QUJD" * 80]}, MediaKind.IMAGE),
        ({"audio_url": "https://example.com/a.wav"}, MediaKind.AUDIO),
    ],
)
def test_media_in_fields_that_nobody_knows_are_judged_and_for_the_policy(
    rest: dict[str, JsonValue], kind: MediaKind
) -> None:
    reader = RequestReader(LIMITS)
    reader.rest(rest, Role.USER, "a")
    reader.content([{"type": "text", "text": "x", **rest}], Role.USER, "b")

    assert [(part.kind, part.path) for part in reader.media] == [(kind, "a"), (kind, "b[0].*")]
    assert len(reader.texts) == 3


def test_a_medium_by_its_bytes_is_for_the_policy_and_not_read_as_words() -> None:
    picture = base64.encodebytes(b"\x89PNG" + hashlib.sha512(b"noise").digest() * 20).decode()
    reader = RequestReader(LIMITS)
    reader.rest({"images": [picture]}, Role.USER, "a")
    reader.content([{"type": "unknown", "blob": picture}], Role.USER, "b")

    found = [(part.kind, part.path) for part in reader.media]
    assert found == [(MediaKind.IMAGE, "a"), (MediaKind.FILE, "b[0]")]
    assert [part.text for part in reader.texts] == []


def test_chunks_of_a_part_are_its_text_and_a_second_time_in_lines() -> None:
    reader = RequestReader(LIMITS)
    chunks: Json = [{"type": "text", "text": "kil"}, {"type": "text", "text": "ling"}]
    parts: Json = [
        {"type": "thinking", "thinking": chunks},
        {"type": "other", "it": ["kil", "ling"]},
    ]
    reader.content(parts, Role.ASSISTANT, "a")

    assert [(part.text, part.path) for part in reader.texts] == [
        ("killing", "a[0].thinking"), ("kil\nling", "a[0].thinking.."),
        ("killing", "a[1].*"), ("kil\nling", "a[1].*.."),
    ]  # fmt: skip


def test_a_linked_resource_is_a_file_whatever_its_address_looks_like() -> None:
    reader = RequestReader(LIMITS)
    link: Json = {"type": "resource_link", "name": "a name", "uri": "mistral:libraries/1/a.pdf"}
    reader.content([link], Role.USER, "a")

    assert [(part.kind, part.path) for part in reader.media] == [(MediaKind.FILE, "a[0]")]
    assert [part.text for part in reader.texts] == ["a name"]


def test_a_resource_with_its_text_is_that_text() -> None:
    reader = RequestReader(Limits())
    where: dict[str, Json] = {"uri": "https://example.com/a.md", "mimeType": "text/markdown"}
    picture = "data:image/png;base64," + "QUJD" * 80
    told: list[Json] = ["https://example.com is open.", "", picture]
    for at, text in enumerate(told):
        reader.content(
            [{"type": "resource", "resource": {**where, "text": text}}], Role.TOOL, f"{at}"
        )
    reader.content([{"type": "resource", "resource": {**where, "blob": SOUND}}], Role.TOOL, "3")
    reader.content([{"type": "page", "resource": {**where, "text": "x"}}], Role.TOOL, "4")

    assert [part.path for part in reader.media] == ["1[0]", "2[0]", "3[0]", "4[0]"]
    assert "https://example.com is open." in reader.texts[0].text


def test_what_an_answer_cited_is_no_file_when_it_comes_back() -> None:
    reader = RequestReader(LIMITS)
    cited: dict[str, Json] = {
        "type": "tool_reference",
        "title": "Paris",
        "url": "https://example.com/paris",
    }
    reader.content([cited, {**cited, "blob": SOUND}], Role.USER, "a")

    assert [(part.kind, part.path) for part in reader.media] == [(MediaKind.FILE, "a[1]")]
    assert "Paris" in reader.texts[0].text
    assert "https://example.com/paris" in reader.texts[0].text


def test_sealed_values_in_fields_that_nobody_knows_are_no_media() -> None:
    reader = RequestReader(LIMITS)
    sealed: JsonValue = {"thought_signature": "CiQB0e2K" * 60, "cursor": "CiQB0e2K" * 60}
    reader.rest({"extra_content": sealed}, Role.ASSISTANT, "a")

    assert reader.media == []


def test_definitions_are_the_applications_text_and_bounded() -> None:
    reader = RequestReader(LIMITS)
    reader.definitions(None, "tools")
    reader.definitions([{"name": "search", "about": "the web"}], "tools")
    reader.answer_format({"type": "json_object"}, "format")
    reader.answer_format({"type": "json_schema", "schema": {"title": "T"}}, "format")
    reader.answer_format(None, "format")

    assert [(part.role, part.path) for part in reader.texts] == [
        (Role.DEFINITION, "tools[0]"),
        (Role.DEFINITION, "format"),
    ]
    wrong: list[Json] = [{}, [{}] * 3]
    for value in wrong:
        with pytest.raises(RequestError) as error:
            reader.definitions(value, "tools")
        assert error.value.param == "tools"


def test_arguments_are_judged_with_keys_and_as_their_reader_reads_them() -> None:
    reader = RequestReader(LIMITS)
    reader.all_of({"q": '["\\u0062omb"]'}, Role.ASSISTANT, "input")

    assert [part.text for part in reader.texts] == ['q\n["\\u0062omb"]', "bomb"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"deep": [{"server_url": "https://example.com/mcp"}]},
        {"type": "document_library", "library_ids": ["l1"]},
        {"type": "connector", "connector_id": "c1"},
        {"type": "x", "parameters": {"file_ids": ["f1"]}},
        {"type": "mcp", "Server_URL": "https://example.com/mcp"},
        {"type": "file_search", "VECTOR_\u017ftore_ids": ["v1"]},
    ],
)
def test_m5_a_tool_that_reads_elsewhere_is_a_file(elsewhere: Json) -> None:
    reader = RequestReader(LIMITS)
    schema: Json = {"file_ids": ["a", "b"], "container": "c"}
    described: Json = {"input_schema": schema, "output_schema": {"examples": [schema]}}
    shown: Json = {"parameters": schema, "input_examples": [schema]}
    reader.definitions([{"name": "f", **described, **shown}, elsewhere])

    assert [(part.kind, part.path) for part in reader.media] == [(MediaKind.FILE, "tools[1]")]
    assert [part.path for part in reader.texts] == ["tools[0]", "tools[1]"]


def test_m5_what_a_body_names_that_is_not_in_it_is_a_file() -> None:
    body: dict[str, Json] = {"file_ids": ["f1"], "data_sources": [{"type": "x"}], "container": None}

    asked = RequestReader(LIMITS).asked({**body, "metadata": {"file_id": "f"}}, b"", stream=False)

    assert [(part.kind, part.path) for part in asked.media] == [
        (MediaKind.FILE, "data_sources"),
        (MediaKind.FILE, "file_ids"),
    ]


def test_arguments_are_read_as_they_stand_and_decoded() -> None:
    reader = RequestReader(LIMITS)
    reader.called({"name": "f", "arguments": r'{"q": "\u0062omb"}', "x": 1}, Role.ASSISTANT, "c")

    stands, decoded = (part.text for part in reader.texts)
    assert r"\u0062omb" in stands
    assert "bomb" in decoded


def test_a_prediction_is_read_whatever_its_shape() -> None:
    reader = RequestReader(LIMITS)
    named: Json = {"type": "content", "content": "two", "more": "three four"}
    for prediction in (None, "one", named):
        reader.prediction(prediction, "prediction")

    assert [part.text for part in reader.texts] == ["one", "two", "three four"]


def test_all_that_was_collected_is_handed_on() -> None:
    reader = RequestReader(LIMITS)
    reader.say(Role.USER, " \n", "blank")
    reader.say(Role.USER, "hello", "prompt")

    asked = reader.asked({"guardrails": None}, b"{}", stream=True)

    assert [part.text for part in asked.texts] == ["hello"]
    assert asked.stream
    assert (asked.guardrails, asked.guardrails_present, asked.body) == (None, True, b"{}")
