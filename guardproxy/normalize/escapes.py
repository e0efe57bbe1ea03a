"""Undoing escapes, entities, percent codes, and mark-up inside words."""

from __future__ import annotations

import html
import re
import unicodedata

from guardproxy.normalize.slices import occurs, substitute, substitute_from

_CODE = r"u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})"
_HAS_CODE = re.compile(rf"\\(?:{_CODE})")
_ESCAPE = re.compile(rf"\\(?:\\|{_CODE})")
# Several in a row, with a letter's: one alone is a back reference, a byte or a colour.
_HAS_OCTAL = re.compile(r"\\0?[1-3][0-7]{2}\\")
_OCTAL = re.compile(r"(?:\\{1,4}(?:0?[0-3][0-7]{2}|[45][0-7])){3,}+")
_OCTAL_CODE = re.compile("[0-7]{2,4}")
# JSON in a string in JSON has its backslashes doubled, and doubled again.
_ESCAPES_DEEP = 5
# As browsers read them: any zeros before a number, and no semicolon needed behind it.
_ENTITY = re.compile(
    r"&(?:#(?:[xX]0*([0-9a-fA-F]{1,6})(?![0-9a-fA-F])|0*([0-9]{1,7})(?![0-9]));?"
    r"|[A-Za-z]{2,31}[0-9]{0,2};)"
)
_ENTITIES_DEEP = 3
_HIDDEN = re.compile(r"[^\W_]|@")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_PERCENT_UNITS = re.compile(r"(?:%u[0-9a-fA-F]{4})+")
_NO_TEXT = re.compile("[\udc80-\udcff]")
_ESCAPED_DEEP = 3
"""Escapes, entities and percent codes within one another."""

_TAG_IN_WORD = re.compile(
    r"(?<=[^\W\d_])(?:<!--.{0,200}?-->|</?[A-Za-z][^<>]{0,100}>)+(?=[^\W\d_])", re.DOTALL
)
_EMPHASIS_HINT = re.compile(r"[*~]{1,2}[^\W\d_]{1,40}[*~]")
_EMPHASIS_IN_WORD = re.compile(
    r"(?<=[^\W\d_])(\*\*|~~)([^\W\d_]{1,40})\1|(\*\*|~~)([^\W\d_]{1,40})\3(?=[^\W\d_])"
    r"|(?<=[^\W\d_])\*([^\W\d_]{2,40})\*"
)
_JOINED_LITERALS = re.compile(r"""(?<=[^\W\d_])(["'])\s{0,8}\+\s{0,8}\1(?=[^\W\d_])""")


def unescape(text: str) -> str:
    """Escapes, entities and percent codes as what they stand for; words without mark-up inside."""
    for _ in range(_ESCAPED_DEEP):
        escaped, text = text, _unescape_once(text)
        if text == escaped:
            break
    if "<" in text:
        text = substitute_from("<", _TAG_IN_WORD, lambda _: "", text)
    if ("*" in text or "~~" in text) and occurs(_EMPHASIS_HINT, text):
        text = substitute(_EMPHASIS_IN_WORD, lambda run: run[2] or run[4] or run[5], text)
    if "+" in text:
        text = _JOINED_LITERALS.sub("", text)
    return text


def _unescape_once(text: str) -> str:
    if "\\" in text:
        text = _read_escapes(text)
        if _HAS_OCTAL.search(text):
            text = _OCTAL.sub(_read_octal, text)
    if "&" in text:
        text = read_entities(text)
    if "%" in text:
        # In addresses, too: what stands in a query is read by whoever reads the address.
        text = _PERCENT_UNITS.sub(_read_percent_units, text) if "%u" in text else text
        text = _PERCENT.sub(_read_percent, text)
    return text


def _read_escapes(text: str) -> str:
    def character(found: re.Match[str]) -> str:
        digits = next(filter(None, found.groups()), None)
        if digits is None:
            return "\\"
        code = int(digits, 16)
        return chr(code) if code < 0x110000 else found[0]

    for _ in range(_ESCAPES_DEEP):
        if not _HAS_CODE.search(text):
            break
        # Through UTF-16, so that escaped surrogate pairs become one character and halves none.
        units = _ESCAPE.sub(character, text).encode("utf-16-le", "surrogatepass")
        text = units.decode("utf-16-le", "replace")
    return text


def _read_octal(run: re.Match[str]) -> str:
    held = bytes(int(code, 8) for code in _OCTAL_CODE.findall(run[0]))
    return held.decode("utf-8", "replace")


def read_entities(text: str, *, letters: bool = True) -> str:
    """Entities as what they stand for; without `letters` only those that honest mark-up has.

    It escapes signs; who escapes letters, digits or an @ hides them.
    """

    def character(found: re.Match[str]) -> str:
        hexadecimal, decimal = found.groups()
        number = f"x{hexadecimal}" if hexadecimal else decimal
        read = html.unescape(f"&#{number};" if number else found[0])
        shown = letters or not _HIDDEN.search(unicodedata.normalize("NFKC", read))
        return read if shown else found[0]

    for _ in range(_ENTITIES_DEEP):
        escaped, text = text, _ENTITY.sub(character, text)
        if text == escaped:
            break
    return text


def _read_percent_units(run: re.Match[str]) -> str:
    return bytes.fromhex(run[0].replace("%u", "")).decode("utf-16-be", "replace")


def _read_percent(run: re.Match[str]) -> str:
    """The text of the bytes; those that are none of a text stay codes."""
    text = bytes.fromhex(run[0].replace("%", "")).decode("utf-8", "surrogateescape")
    return _NO_TEXT.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02x}", text)
