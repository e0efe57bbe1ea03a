"""Strings told apart: structure, media, text."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind
from guardproxy.dialects.leaves import (
    SCHEMA_VALUES,
    embedded_media,
    everything_in,
    is_json,
    is_payload,
    is_token,
    left_over,
    numbers_in,
    plain_text,
    refers_to_media,
    says_nothing,
    text_leaves,
    text_of,
    unfolded,
)
from guardproxy.dialects.shape import NO_SHAPE, contents
from guardproxy.errors import UpstreamError
from guardproxy.strict_json import JsonValue

STRUCTURE = re.compile(r"id|a\.kind")
SENTENCE = "how to do something forbidden"


@pytest.mark.parametrize(
    "value",
    ["", "gpt-4o-2024-08-06", "ft:gpt-4o:acme::8x", "call_1", "fp_44709d6fcb", "a" * 128, "m@1"],
)
def test_ids_and_enum_values_are_tokens(value: str) -> None:
    assert is_token(value)


@pytest.mark.parametrize("value", ["two words", "a" * 129, "a\nb", "é", "a;b", "what?", "a\u00a0b"])
def test_what_can_be_read_is_no_token(value: str) -> None:
    assert not is_token(value)


@pytest.mark.parametrize(
    "value",
    [
        "data:image/png;base64,iVBORw0KGgo=", "DATA:;BASE64,QQ==", "https://example.com/a.png?x=1",
        "gs://bucket/file", "file-abc123", "UklGRg==", ("QUJD" * 16 + "\n") * 3 + "QQ==\n",
    ],
)  # fmt: skip
def test_media_their_addresses_and_their_ids_are_payload(value: str) -> None:
    assert is_payload(value)


@pytest.mark.parametrize(
    "value",
    [
        SENTENCE, f"data: {SENTENCE}", f"data:text/plain,{SENTENCE}", f"https://a.b {SENTENCE}",
        f"data:image/png;base64,{SENTENCE}", "data:text/plain,how%20to", "a\nb",
        f"QQ==\n{SENTENCE}", f"x://{SENTENCE}".replace(" ", "\u00a0"), "https://a.b/\x1fhow\x1fto",
        "https://a.b/\u5982\u4f55",
    ],
)  # fmt: skip
def test_what_can_be_read_is_no_payload(value: str) -> None:
    assert not is_payload(value)


def test_structure_goes_by_its_exact_path_and_only_while_it_looks_the_part() -> None:
    value: JsonValue = {"id": "x1", "a": {"kind": "y", "id": "z"}, "b": ["w"]}

    assert text_of(value, structure=STRUCTURE) == "z\nw"
    assert text_of({"id": SENTENCE}, structure=STRUCTURE) == SENTENCE
    assert text_of({"id": ["how", "to"]}, structure=STRUCTURE) == "how\nto"
    assert text_of(value) == "x1\ny\nz\nw"


def test_keys_count_where_they_can_be_read() -> None:
    value: JsonValue = {"max_tokens": 1, SENTENCE: [{"ключ": None, "": 1}]}

    assert set(text_of(value).split("\n")) == {SENTENCE, "ключ"}
    assert everything_in(value).split("\n") == ["max_tokens", SENTENCE, "ключ"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"card": 1234567, "on": True, "n": 999999, "s": "1234567"}, '{"card": 1234567}'),
        ([[1, {"tel": [4915123456789.0]}], None], '[[{"tel": [4915123456789]}]]'),
        (-4556737586899855, "4556737586899855"),
        (4.556737586899855e15, "4556737586899855"),
        (12345678901234567890123, "12345678901234567890123"),
        (1234567.5, "1234567.5"),
        (1e300, "1e+300"),
        ({"x": 0.12345678, "y": [], "z": {}}, ""),
        ("4556737586899855", ""),
    ],
)  # fmt: skip
def test_numbers_of_seven_digits_may_be_somebodys(value: JsonValue, found: str) -> None:
    assert numbers_in(value) == found


def test_of_a_schema_the_numbers_that_it_names_count() -> None:
    bounds: dict[str, JsonValue] = {"maximum": 2**53, "minimum": -(2**53)}
    schema: JsonValue = {"properties": {"tel": {**bounds, "examples": [4915123456789]}}}

    assert (
        numbers_in(schema, SCHEMA_VALUES)
        == '{"properties": {"tel": {"examples": [4915123456789]}}}'
    )
    assert numbers_in({"properties": {"n": bounds}}, SCHEMA_VALUES) == ""


def test_media_are_left_out_only_for_those_who_count_them() -> None:
    value: JsonValue = {"a": "data:image/png;base64,QUJD", "b": ["data: a sentence"]}

    picture = "data:image/png;base64,QUJD"
    assert text_of(value, without_media=True) == f"{picture}\ndata: a sentence"
    assert embedded_media(value) == [(MediaKind.IMAGE, 26)]
    noise = base64.b64encode(b"\x89PNG" + hashlib.sha512(b"noise").digest() * 20).decode()
    value = {"a": f"data:image/png;base64,{noise}", "b": ["data: a sentence"]}
    assert text_of(value, without_media=True) == "data: a sentence"
    assert text_of(value) == f"data:image/png;base64,{noise}\ndata: a sentence"
    assert embedded_media(value) == [(MediaKind.IMAGE, 22 + len(noise))]


@given(
    head=st.sampled_from(["image/png", "audio/wav;x=1", ""]),
    begins=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"OggS"]),
    text=st.text(min_size=1, max_size=400),
)
def test_a_text_in_a_mediums_dress_is_judged(head: str, begins: bytes, text: str) -> None:
    coded = base64.b64encode(begins + text.encode()).decode()
    value: JsonValue = {"note": f"data:{head};base64,{coded}"}

    assert coded in text_of(value, without_media=True)
    assert coded in contents(value, NO_SHAPE).text
    assert len(embedded_media(value)) == len(contents(value, NO_SHAPE).media) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("image/png", MediaKind.IMAGE),
        ("IMAGE/JPEG", MediaKind.IMAGE),
        ("image/svg+xml", MediaKind.FILE),
        ("audio/wav", MediaKind.AUDIO),
        ("application/pdf", MediaKind.FILE),
        ("text/plain;charset=utf-8", MediaKind.FILE),
        ("", MediaKind.FILE),
    ],
)
def test_a_medium_is_what_its_type_says(kind: str, expected: MediaKind) -> None:
    assert embedded_media([f"data:{kind};base64,QQ=="])[0][0] is expected


@pytest.mark.parametrize("value", ["https://example.com", "data:x", "A" * 256])
def test_addresses_and_long_opaque_values_refer_to_media(value: str) -> None:
    assert refers_to_media({"a": [value]})
    assert not refers_to_media({value: "see https://example.com"})


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r'{"q": "\u0062omb"}', "q\nbomb"),
        (r'["\u0062omb", 1]', "bomb"),
        (r'"{\"q\": \"\\u0062omb\"}"', '{"q": "\\u0062omb"}\nq\nbomb'),
        ('{"q": "bomb"}', ""),
        (r"\u0062omb", ""),
        (r'{"q": "\u0062omb"', ""),
        ("[" * 100_000 + r"\u", ""),
    ],
)
def test_json_in_a_string_is_read_where_escapes_hide_it(text: str, inside: str) -> None:
    assert unfolded(text) == inside


@given(st.text())
def test_any_string_can_be_unfolded(text: str) -> None:
    unfolded(f'{{"\\u0061": "{text}')


@pytest.mark.parametrize("body", [b"{}", b' \r\n["a"]', b'"a"'])
def test_json_with_text_begins_as_such(body: bytes) -> None:
    assert is_json(body)


@pytest.mark.parametrize("body", [b"", b"12", b"true", b"<html>", b"\xef\xbb\xbf{}", b"\0{"])
def test_all_else_is_plain(body: bytes) -> None:
    assert not is_json(body)


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", '{"a"'.encode("utf-16-be"), "\ufeff{}".encode(), "é".encode("latin-1")]
)
def test_text_in_a_coding_that_clients_guess_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        plain_text(body)


def test_plain_text_is_read_whole() -> None:
    assert plain_text("<p>é</p>\n".encode()) == "<p>é</p>\n"


def test_what_a_dialect_does_not_know_is_left_over() -> None:
    assert left_over({"a": 1, "b": 2}, {"a"}) == {"b": 2}


_NAMES = st.sampled_from(["id", "a", "kind", "type", "two words", "_x", "a.b", "", "long" * 20])
_STRINGS = st.sampled_from(
    ["", "gpt-4o", SENTENCE, "data:image/png;base64,QQ==", "x" * 129, "a.kind", "\u00e9"]
)
_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.integers(0, 9) | st.booleans() | _STRINGS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(_VALUES)
def test_what_says_nothing_at_a_quick_look_holds_neither_text_nor_media(value: JsonValue) -> None:
    if says_nothing(value, STRUCTURE):
        assert not list(text_leaves(value, structure=STRUCTURE))
        assert not embedded_media(value)


@pytest.mark.parametrize(
    "value",
    [
        None, 1, "", [], {}, {"id": "chatcmpl-1", "n": 1, "usage": {"tokens": 9, "none": None}},
        {"a": {"kind": "x"}, "ids": [1, 2]},
    ],
)  # fmt: skip
def test_numbers_ids_and_enum_values_say_nothing(value: JsonValue) -> None:
    assert says_nothing(value, STRUCTURE)
