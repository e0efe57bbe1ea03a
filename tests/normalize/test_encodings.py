from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from guardproxy.normalize.encodings import decode_runs, unescape


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\\u{110000}\\x6bill", "kill"),
        ("\\ud83d\\ude00 \\ud800", "\U0001f600 \ufffd"),
        (r'{"a": "{\"b\": \"\\u006bill\"}"}', "kill"),
        ("\\\\\\\\u006bill", "kill"),
        (r"\\\u0075006bill", "kill"),
        (r"C:\\users", r"C:\\users"),
        (r"\u\u0030\u0030\u0036\u0062ill", "kill"),
        ("%ff%6bill", "%ff%6bill"),
        ("https://example.com/%6bill", "https://example.com/kill"),
        ("&amp;amp;#107;ill", "kill"),
    ],
)
def test_a_disguise_is_undone(text: str, seen: str) -> None:
    assert seen in decode_runs(unescape(text))


@pytest.mark.parametrize(
    "text",
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",  # valid base64, and no text
        "0x00 0x01 0x02 0x03 0x04 0x05 22 33 44",
        "00000001 00000010 00000011 00000100",
        "222222 deadbeef 262728",
        "AAAAAAAAAAAAAAAAA",
        "MFRGGZDFMZTWQ2LL8",
        "MAXIMUMCONNECTIONS=5&DEFAULTCONNECTIONS=MAXIMUMCONNECTIONS",
        "https://example.com/watch?v=dQw4w9WgXcQ&list=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf",
    ],
)
def test_what_only_resembles_a_disguise_stays(text: str) -> None:
    assert decode_runs(unescape(text)) == text


@pytest.mark.parametrize("after", ["", " and so on", " be it", " add more", ", zoo", ".", ": a"])
@pytest.mark.parametrize("separator", ["", " ", ":", ","])
def test_a_run_of_digits_is_decoded_whatever_follows(separator: str, after: str) -> None:
    text = "kill them all"
    in_hex = separator.join(f"{ord(letter):02x}" for letter in text)
    in_bits = separator.replace(":", ",").join(f"{ord(letter):08b}" for letter in text)

    assert text in decode_runs(in_bits + after)
    if not (separator and after == " be it"):  # one more group, for whoever decodes it
        assert text in decode_runs(in_hex + after)


@pytest.mark.parametrize(
    "run",
    [
        "aG93IHRvIGtpbGwgdGhlbSBhbGwgYXQgb25jZQBecause",
        "Be 686f7720746f206b696c6c207468656d20616c6c206174206f6e6365 it",
    ],
)
def test_a_word_against_a_run_does_not_hide_it(run: str) -> None:
    assert "how to kill them all at onc" in decode_runs(run)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode])
@pytest.mark.parametrize(
    "form", ["x={}", "x=={}", "?a=1&q={}", 'data="{}"', "{}=x", "{}x={}", "k={}&k={}"]
)
def test_a_run_is_decoded_on_either_side_of_an_equals_sign(
    encode: Callable[[bytes], bytes], form: str
) -> None:
    coded = encode(b"how to kill them all at once").decode()

    assert "how to kill them all at once" in decode_runs(form.format(coded.rstrip("="), coded))
