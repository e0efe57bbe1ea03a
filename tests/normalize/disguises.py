"""The disguises of one phrase, by family; each is what somebody might send."""

from __future__ import annotations

import base64
import html
import unicodedata
from collections.abc import Callable, Mapping

PHRASE = "kill people"


def between(mark: str) -> Callable[[str], str]:
    """The mark between any two letters."""
    return lambda text: " ".join(mark.join(word) for word in text.split())


def swapped(letters: str) -> Callable[[str], str]:
    """Letters replaced; `letters` holds each before its replacement."""
    return lambda text: text.translate(str.maketrans(letters[::2], letters[1::2]))


def shifted(first: int) -> Callable[[str], str]:
    """Letters as the 26 code points from `first`."""
    return lambda text: "".join(chr(first + ord(c) - ord("a")) if c.isalpha() else c for c in text)


def after(mark: str) -> Callable[[str], str]:
    """The mark after every letter."""
    return lambda text: "".join(c + mark if c.isalpha() else c for c in text)


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in text)


def selectors(text: str) -> str:
    return "".join(chr(0xFE00 + b if b < 16 else 0xE0100 + b - 16) for b in text.encode())


def turned(text: str) -> str:
    plain = "abcdefghijklmnopqrstuvwxyz"
    upside_down = (
        "\u0250q\u0254p\u01dd\u025f\u0183\u0265\u1d09\u027e\u029el"
        "\u026fuodb\u0279s\u0287n\u028c\u028dx\u028ez"
    )
    return text.translate(str.maketrans(plain, upside_down))[::-1]


DISGUISES: Mapping[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "mixed case": lambda text: "".join(c.upper() if i % 2 else c for i, c in enumerate(text)),
    "zero-width space": between("\u200b"),
    "zero-width non-joiner": between("\u200c"),
    "zero-width joiner": between("\u200d"),
    "word joiner": between("\u2060"),
    "soft hyphen": between("\u00ad"),
    "grapheme joiner": between("\u034f"),
    "Mongolian vowel separator": between("\u180e"),
    "Hangul filler": between("\u3164"),
    "Hangul choseong filler": between("\u115f"),
    "variation selector 16": after("\ufe0f"),
    "variation selector 17": after("\U000e0100"),
    "byte order mark inside": between("\ufeff"),
    "Braille blank": between("\u2800"),
    "no-break spaces": between("\u00a0"),
    "ideographic space": lambda text: text.replace(" ", "\u3000"),
    "Cyrillic some": swapped("i\u0456e\u0435o\u043ep\u0440"),
    "Cyrillic all it has": swapped("k\u043ai\u0456p\u0440e\u0435o\u043e"),
    "Greek": swapped("i\u03b9o\u03bfp\u03c1k\u03ba"),
    "Armenian": swapped("o\u0585l\u056c"),
    "Armenian o": swapped("o\u0585"),
    "Cherokee": swapped("i\u13a5e\u13ac"),
    "full width": shifted(0xFF41),
    "maths bold": shifted(0x1D41A),
    "maths script": shifted(0x1D4EA),
    "maths fraktur": shifted(0x1D586),
    "monospace": shifted(0x1D68A),
    "circled": shifted(0x24D0),
    "negative circled": shifted(0x1F150),
    "negative squared": shifted(0x1F170),
    "squared": shifted(0x1F130),
    "regional indicators": shifted(0x1F1E6),
    "regional indicators apart": lambda text: " ".join(shifted(0x1F1E6)(text)),
    "small capitals": swapped("k\u1d0bi\u026al\u029fp\u1d18e\u1d07o\u1d0f"),
    "superscript": swapped("k\u1d4fi\u2071l\u02e1p\u1d56e\u1d49o\u1d52"),
    "upside down": turned,
    "one accent a letter": after("\u0307"),
    "zalgo": after("\u0300\u0316\u0334\u0363"),
    "zalgo on some": lambda text: text.replace("i", "i\u0301\u0308\u0325").replace(
        "o", "o\u030a\u0317"
    ),
    "strike-through": after("\u0336"),
    "precomposed accents": lambda text: unicodedata.normalize("NFC", after("\u0323")(text)),
    "stroked letters": swapped("k\u0199l\u0142i\u0268p\u01a5e\u0247o\u00f8"),
    "right-to-left override": lambda text: f"\u202e{text[::-1]}\u202c",
    "isolates": between("\u2066\u2069"),
    "left-to-right marks": between("\u200e"),
    "tags": lambda text: "hello" + tags(text),
    "tags after an emoji": lambda text: "hi \U0001f600" + tags(text),
    "tags in a flag": lambda text: "\U0001f3f4" + tags(text) + "\U000e007f",
    "selectors after an emoji": lambda text: "hi \U0001f600" + selectors(text),
    "joined ligature": lambda text: text.replace("ll", "l\u200dl"),
    "leet": swapped("i1e3o0"),
    "leet with signs": swapped("i!e3o0"),
    "spaced": lambda text: "  ".join(map(" ".join, text.split())),
    "dotted": between("."),
    "hyphenated": between("-"),
    "underscored": between("_"),
    "starred": between("*"),
    "slashed": between("/"),
    "a letter a line": lambda text: "\n\n".join(map("\n".join, text.split())),
    "backspaces": lambda text: text.replace("i", "x\bi").replace("o", "zz\b\bo"),
    "entity of a zero-width space": lambda text: text.replace("i", "&#8203;&#105;"),
    "decimal entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(c):x};" for c in text),
    "entities twice": lambda text: html.escape("".join(f"&#{ord(c)};" for c in text)),
    "percent all": lambda text: "".join(f"%{ord(c):02x}" for c in text),
    "percent some": lambda text: text.replace("i", "%69").replace("o", "%6F").replace(" ", "%20"),
    "unicode escapes": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "unicode escapes in braces": lambda text: "".join(f"\\u{{{ord(c):x}}}" for c in text),
    "hexadecimal escapes": lambda text: "".join(f"\\x{ord(c):02x}" for c in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 without padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base64 of hexadecimal": lambda text: base64.b64encode(text.encode().hex().encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal apart": lambda text: text.encode().hex(" "),
    "hexadecimal with 0x": lambda text: " ".join(f"0x{b:02x}" for b in text.encode()),
    "binary": lambda text: " ".join(f"{b:08b}" for b in text.encode()),
    "rot13": lambda text: text.translate(
        str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
    ),
    "reversed": lambda text: text[::-1],
    "markdown bold": lambda text: text.replace("ll", "**ll**").replace("eo", "**eo**"),
    "markdown bold at the start": lambda text: text.replace("ki", "**ki**"),
    "markdown star": lambda text: text.replace("il", "*il*"),
    "HTML tags": lambda text: text.replace("il", "<b>il</b>"),
    "HTML comment": lambda text: text.replace("ll", "<!-- x -->ll"),
    "joined literals": lambda text: "'ki' + 'll peo' + 'ple'",
    "tool arguments": lambda text: '{"q": "' + "".join(f"\\u{ord(c):04x}" for c in text) + '"}',
    "zero-width space in base64": lambda text: "\u200b".join(
        base64.b64encode(text.encode()).decode()
    ),
    "spaced full width": lambda text: "  ".join(map(" ".join, shifted(0xFF41)(text).split())),
}
