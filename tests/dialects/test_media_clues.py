"""What shows that a string in a field nobody knows is a medium."""

from __future__ import annotations

import base64
import random

import pytest

from guardproxy.content import MediaKind
from guardproxy.dialects.media_clues import clued_media
from guardproxy.strict_json import JsonValue

AUDIO, FILE, IMAGE = MediaKind.AUDIO, MediaKind.FILE, MediaKind.IMAGE
ADDRESS = "https://example.com/a"


def coded(head: bytes, size: int = 300) -> str:
    return base64.b64encode(head + random.Random(1).randbytes(size)).decode()  # noqa: S311 - noise


SEALED = coded(b"\x12\x08", 600)
WAVE = coded(b"RIFF\x24\0\0\0WAVEfmt ")


def kinds(value: JsonValue, *, addresses: bool = False) -> list[MediaKind]:
    return [clued.kind for clued in clued_media(value, addresses=addresses)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", IMAGE), (b"\xff\xd8\xff\xe0", IMAGE), (b"GIF89a", IMAGE),
        (b"RIFF\0\0\0\0WEBPVP8 ", IMAGE), (b"\0\0\0\x18ftypheic", IMAGE),
        (b"RIFF\x24\0\0\0WAVEfmt ", AUDIO), (b"ID3\x04", AUDIO), (b"OggS", AUDIO),
        (b"fLaC", AUDIO), (b"\0\0\0\x20ftypM4A ", AUDIO), (b"RIFF\0\0\0\0AVI ", FILE),
        (b"\0\0\0\x18ftypmp42", FILE), (b"%PDF-1.7", FILE), (b"PK\x03\x04", FILE),
    ],
)  # fmt: skip
def test_the_first_bytes_say_what_it_is(head: bytes, kind: MediaKind) -> None:
    text = coded(head, 60)

    assert kinds({"x": {"y": [text]}}) == [kind]
    assert kinds({"x": text.replace("+", "-").replace("/", "_")}) == [kind]
    assert kinds({"x": base64.encodebytes(base64.b64decode(text)).decode()}) == [kind]


@pytest.mark.parametrize("key", ["mime_type", "mimeType", "media_type", "contentType"])
def test_a_media_type_beside_it_says_what_it_is(key: str) -> None:
    assert kinds({"inlineData": {key: "audio/L16;codec=pcm;rate=24000", "data": SEALED}}) == [AUDIO]
    assert kinds({"inlineData": {key: "application/pdf", "data": SEALED}}) == [FILE]
    assert kinds({"part": {key: "audio/wav"}, "other": SEALED}) == []
    assert kinds({"part": {key: "audio/wav", "text": "a short one", "name": "b" * 100}}) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"images": [SEALED]}, IMAGE), ({"audio": SEALED}, AUDIO), ({"videos": [SEALED]}, FILE),
        ({"multi_modal_data": {"audio": SEALED}}, AUDIO), ({"inputAudio": {"data": SEALED}}, AUDIO),
        ({"file": {"file_data": SEALED}}, FILE),
    ],
)  # fmt: skip
def test_a_name_around_it_says_what_it_is(value: JsonValue, kind: MediaKind) -> None:
    assert kinds(value) == [kind]


def test_clues_that_differ_make_a_file() -> None:
    assert kinds({"images": [WAVE]}) == [FILE]
    assert kinds({"mime_type": "image/png", "data": WAVE}) == [FILE]


@pytest.mark.parametrize(
    "value",
    [
        {"encrypted_content": SEALED},
        {"type": "reasoning.encrypted", "data": SEALED, "format": "openai-responses-v1"},
        {"thinking": "x", "signature": SEALED},
        {"parts": [{"text": "x", "thoughtSignature": SEALED}]},
        {"extra_content": {"google": {"thought_signature": SEALED}}},
        {"inlineData": {"mimeType": "image/png"}, "thoughtSignature": SEALED},
        {"mimeType": "image/png", "thoughtSignature": SEALED},
        {"type": "image_generation_call", "id": SEALED},
        {"image": {"cache_key": SEALED, "fileId": SEALED, "contentHash": SEALED}},
        {"nextPageToken": SEALED}, {"cursor": SEALED}, {"id": SEALED}, {"prompt_cache_key": SEALED},
        {"checksum": "ab" * 64}, {"embedding": SEALED}, {"x": "Hello. " * 100}, {"audio": "alloy"},
        {"images": ["Hello" + " " * 300 + "x", "QQ==" + " " * 300, "é" * 300, "A" * 300 + " b"]},
        SEALED, WAVE,
    ],
)  # fmt: skip
def test_sealed_values_and_words_are_no_media(value: JsonValue) -> None:
    assert kinds(value, addresses=True) == []


def test_random_bytes_do_not_begin_as_media_do() -> None:
    numbers = random.Random(2)  # noqa: S311 - noise
    values: JsonValue = [base64.b64encode(numbers.randbytes(60)).decode() for _ in range(20_000)]

    assert kinds({"ids": values}) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"image_url": ADDRESS}, IMAGE), ({"imageUrls": [ADDRESS]}, IMAGE),
        ({"audio_url": {"url": ADDRESS}}, AUDIO), ({"video_url": ADDRESS}, FILE),
        ({"fileData": {"fileUri": ADDRESS}}, FILE), ({"gcsUri": "gs://a/b.png"}, FILE),
    ],
)  # fmt: skip
def test_addresses_of_media_count_where_a_model_reads(value: JsonValue, kind: MediaKind) -> None:
    assert kinds(value, addresses=True) == [kind]
    assert kinds(value) == []


@pytest.mark.parametrize(
    "value",
    [
        {"url": ADDRESS}, {"profile_url": ADDRESS}, {"image_url": f"{ADDRESS} is mine"},
        {"image": {"link": ADDRESS}}, {"url": {"url": ADDRESS}}, {"uri": ADDRESS, "id": "file"},
        {"metadata": {"file_url": ADDRESS}}, {"attributes": {"document_url": ADDRESS}},
        {"functionCall": {"args": {"file_url": ADDRESS}}},
        {"functionResponse": {"response": {"files": [{"file_url": ADDRESS}]}}},
    ],
)  # fmt: skip
def test_other_addresses_are_text(value: JsonValue) -> None:
    assert kinds(value, addresses=True) == []


def test_where_it_stands_and_how_long_it_is() -> None:
    (clued,) = clued_media({"a": [{"b c": {"d": WAVE}}]})

    assert (clued.path, clued.text) == ("a[0].*.d", WAVE)


def test_deep_and_wide_values_cost_little() -> None:
    deep: JsonValue = WAVE
    for _ in range(5_000):
        deep = [deep]
    # So many that work which grows with their square would not end before the test has to.
    wide: JsonValue = ["A" * 300 for _ in range(200_000)]

    assert kinds({"a": deep, "b": wide}) == [AUDIO]
