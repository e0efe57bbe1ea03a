from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.normalize.encodings import decode_runs
from guardproxy.normalize.escapes import unescape
from guardproxy.normalize.spelling import respell


def test_an_array_of_codes_is_read() -> None:
    array = "char s[] = {0x6b, 0x69, 0x6c, 0x6c, 0x20, 0x74, 0x68, 0x65, 0x6d};"

    assert "kill them" in decode_runs(array)


@pytest.mark.parametrize(
    "text",
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",  # valid base64, and no text
        "0x00 0x01 0x02 0x03 0x04 0x05 22 33 44",
        "00000001 00000010 00000011 00000100",
        "222222 deadbeef 262728",
        "AAAAAAAAAAAAAAAAA",
        "MFRGGZDFMZTWQ2LL8",
        "5510&#1079999999; &#; &#x; &#xg",
        r"s/\1/\2/ and \033[0m, '\0', C:\123\dir",
        "%zz %u12 100% %",
        "this that with from some more word that they know, then this also goes here",
        "Important technology conference: international presentations, registration required",
        "JavaScript functions iterate: getElement setElement newElement oldElement",
        "| 62 | 67 | 71 |\n| 65 | 68 | 73 |",
        "62, 67, 71, 65, 68, 73",
        "78, 85, 90, 72, 88, 67, 81, 75, 32, 45",
        "98 102 110 115 112 108 104",
        "+49-30-65-68-72-70 or 06.72.65.68.70, 2026-11-23 21:33:04",
        "v1.2.3, 4.5.6, 10.11.12; 3.11.7, 3.12.0, 22.04.1",
        "192.168.100.101, 10.0.0.1, 172.16.254.3, 107.105.108.108",
        "00:1b:44:11:3a:b7, 00-1B-44-11-3A-B7, 001b.4411.3ab7",
        "550e8400-e29b-41d4-a716-446655440000",
        "d41d8cd98f00b204e9800998ecf8427e da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "ABCD-EFGH-IJKL-MNOP-QRST and X7K2-P9QM-44TZ-B8LW",
        "GB29 NWBK 6016 1331 9268 19, DE89 3704 0044 0532 0130 00",
        "4111 1111 1111 1111, 5500-0000-0000-0004",
        "internationalization incomprehensibilities",
        "AT&T; a=1&copy=2&lt",
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


@pytest.mark.parametrize(
    "piece",
    [
        "%25", "%ff", "%u006b", "&#0", "&#", "&#107", "&amp;", "\\153", "\\", "\\u005c", "6b ",
        "6b", "0x6b, ", "01101011 ", "01101011", "107 ", "a2ls ", "a2lsbCBw\n", "a2lsbCBwZW9w ",
        "a1= ", "nnuw ",
        "k.", "k  ", "(k)", "**k**", "x = ", " ", "AAAA ", "k\u2028", "\U0001f600k", "**ab", "~~a",
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "z", "!"])
def test_two_hundred_kilobytes_of_anything_are_read(piece: str, end: str) -> None:
    text = piece * (200_000 // len(piece)) + end

    # Were any step quadratic, this would take minutes.
    assert respell(decode_runs(unescape(text))) is not None


_DIGITS = st.sampled_from(
    ["%", "25", "6b", "u006b", "&#", "107", "x6b", ";", "\\", "153", "a2ls", "bCBw", "=", "-", " "]
)


@given(st.lists(_DIGITS | st.text(max_size=4), max_size=30).map("".join))
def test_what_is_decoded_can_be_encoded(text: str) -> None:
    decode_runs(unescape(text)).encode("utf-8")


@given(
    st.text("abcdefghijklmnopqrstuvwxyz ", min_size=24, max_size=80).filter(
        lambda text: len(set(text)) > 5
    ),
    st.integers(4, 15),
    st.sampled_from([" ", "\n", "\r\n", ", ", ".", ":"]),
    st.sampled_from(["utf-8", "utf-16-le"]),
)
def test_base64_of_words_is_read_in_groups_of_any_size(
    text: str, size: int, separator: str, encoding: str
) -> None:
    run = base64.b64encode(text.encode(encoding)).decode()

    assert text in decode_runs(
        separator.join(run[at : at + size] for at in range(0, len(run), size))
    )
