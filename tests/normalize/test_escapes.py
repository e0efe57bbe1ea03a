from __future__ import annotations

import pytest

from guardproxy.normalize.escapes import unescape


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
        ("%ff%6bill", "%ffkill"),
        ("caf%E9%20kill", "caf%e9 kill"),
        ("anna.smith%2540example.org", "anna.smith@example.org"),
        ("anna.smith&#64example.org", "anna.smith@example.org"),
        ("&#" + "0" * 5_000 + "107;ill", "kill"),
        ("https://example.com/%6bill", "https://example.com/kill"),
        ("&amp;amp;#107;ill", "kill"),
    ],
)
def test_an_escape_is_undone(text: str, seen: str) -> None:
    assert seen in unescape(text)


@pytest.mark.parametrize(
    "text",
    [
        "5510&#1079999999; &#; &#x; &#xg",
        r"s/\1/\2/ and \033[0m, '\0', C:\123\dir",
        "%zz %u12 100% %",
        "AT&T; a=1&copy=2&lt",
    ],
)
def test_what_only_resembles_an_escape_stays(text: str) -> None:
    assert unescape(text) == text
