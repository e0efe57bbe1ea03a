"""Write guardproxy/normalize/lookalikes.py: letters that read as one of a-z.

    python tools/lookalikes.py > guardproxy/normalize/lookalikes.py

Sources: the confusables of UTS 39 as the package `confusable-homoglyphs` ships them (MIT), and the
names of Unicode's letters. A table of our own, as at run time a table is all that is needed.
"""

from __future__ import annotations

import json
import re
import string
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import confusable_homoglyphs
from phonenumbers import SUPPORTED_REGIONS

FOREIGN = ("ARMENIAN", "CHEROKEE", "COPTIC", "CYRILLIC", "DESERET", "GREEK", "LISU")
SMALL_CAPITAL = re.compile("LATIN LETTER SMALL CAPITAL ([A-Z])")
CHANGED = re.compile("LATIN (SMALL|CAPITAL) LETTER (?:DOTLESS )?([A-Z])(?: WITH .*)?")
MISSING = {"\u03ba": "k", "\u043a": "k", "\u043c": "m", "\u043f": "n", "\u056c": "l"}
MISSING |= {"\u03b5": "e", "\u03b7": "n", "\u03c9": "w"}
"""Small letters that UTS 39 leaves out, as their shapes differ a little."""
PHONETIC = {"\u0251": "a", "\u0261": "g", "\u028d": "m"}
"""Confusables whose names do not say what they look like."""
LETTERS_PER_LINE = 16
ENCLOSED = re.compile("NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER ([A-Z])")


def main() -> None:
    sys.stdout.write(module())


def module() -> str:
    """The module's text."""
    return "\n".join(
        [
            '"""Letters that read as one of a-z. Written by tools/lookalikes.py; do not edit."""',
            "",
            "from __future__ import annotations",
            "",
            *table("FOREIGN", foreign(), "Letters of other scripts, each before what it reads as."),
            *table(
                "CHANGED", changed(), "Latin letters that NFKC leaves: small capitals, strokes."
            ),
            *table("ENCLOSED", enclosed(), "Letters in filled circles and squares."),
            *table("FLAGS", "".join(sorted(SUPPORTED_REGIONS)), "Two letters for each region."),
        ]
    )


def table(name: str, text: str, comment: str) -> Iterator[str]:
    yield f"{name} = ("
    for start in range(0, len(text), LETTERS_PER_LINE):
        yield f'    "{"".join(map(escape, text[start : start + LETTERS_PER_LINE]))}"'
    yield ")"
    yield f'"""{comment}"""'
    yield ""


def escape(letter: str) -> str:
    code = ord(letter)
    if letter.isascii():
        return letter
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def foreign() -> str:
    data = Path(confusable_homoglyphs.__file__).with_name("confusables.json")
    confusables = json.loads(data.read_text(encoding="utf-8"))
    alike = dict(MISSING)
    for letter in (*string.ascii_letters, *map(chr, range(0x250, 0x1D80))):
        plain = letter if letter.isascii() else small_capital(letter)
        for found in confusables.get(letter, ()) if plain else ():
            if unicodedata.name(found["c"][0], "").startswith(FOREIGN):
                alike.setdefault(found["c"], plain)
    return "".join(key + alike[key] for key in sorted(alike) if kept(key))


def kept(letter: str) -> bool:
    return len(letter) == 1 and letter.isalpha() and unicodedata.normalize("NFKC", letter) == letter


def small_capital(letter: str) -> str:
    found = SMALL_CAPITAL.fullmatch(unicodedata.name(letter, ""))
    return found[1].lower() if found else ""


def changed() -> str:
    return "".join(pair for code in range(0xC0, 0xAC00) if (pair := changed_letter(chr(code))))


def changed_letter(letter: str) -> str:
    if unicodedata.normalize("NFKD", letter) != letter:
        return ""
    if plain := PHONETIC.get(letter) or small_capital(letter):
        return letter + plain
    found = CHANGED.fullmatch(unicodedata.name(letter, ""))
    return letter + (found[2].lower() if found[1] == "SMALL" else found[2]) if found else ""


def enclosed() -> str:
    named = ((chr(code), unicodedata.name(chr(code), "")) for code in range(0x1F100, 0x1F200))
    return "".join(
        letter + found[1] for letter, name in named if (found := ENCLOSED.fullmatch(name))
    )


if __name__ == "__main__":
    main()
