"""Undoing encodings: escapes, entities, mark-up inside words, and runs of encoded bytes."""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable

from guardproxy.normalize.slices import occurs, substitute, substitute_from, substitute_within

_CODE = r"u\{([0-9a-fA-F]{1,6})\}|U([0-9a-fA-F]{8})|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})"
_HAS_CODE = re.compile(rf"\\(?:{_CODE})")
_ESCAPE = re.compile(rf"\\(?:\\|{_CODE})")
# JSON in a string in JSON has its backslashes doubled, and doubled again.
_ESCAPES_DEEP = 5
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31}\d{0,2});")
_ENTITIES_DEEP = 3
_HIDDEN = re.compile(r"[^\W_]|@")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")

_TAG_IN_WORD = re.compile(
    r"(?<=[^\W\d_])(?:<!--.{0,200}?-->|</?[A-Za-z][^<>]{0,100}>)+(?=[^\W\d_])", re.DOTALL
)
_EMPHASIS_IN_WORD = re.compile(
    r"(?<=[^\W\d_])(\*\*|~~)([^\W\d_]{1,40})\1|(\*\*|~~)([^\W\d_]{1,40})\3(?=[^\W\d_])"
    r"|(?<=[^\W\d_])\*([^\W\d_]{2,40})\*"
)
_JOINED_LITERALS = re.compile(r"""(?<=[^\W\d_])(["'])\s{0,8}\+\s{0,8}\1(?=[^\W\d_])""")

_RUNS_DEEP = 2
_RUN = 12
"""Shortest run of characters to try: shorter ones are words."""
# An equals sign ends one run and may begin the next: `q=...`, and one padded run behind another.
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}+={0,2}")
_BASE32 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Z2-7]{16,}+(?![A-Za-z0-9+/_-])={0,6}")
# In one piece or in groups, so that a short word of such letters after it ends the first.
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:(?:0x|\\x)?[0-9a-fA-F]{2}){5,}+(?![0-9A-Za-z])"
    r"|(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ :,]?(?:0x|\\x)?[0-9a-fA-F]{2}){4,}(?![0-9A-Za-z]))"
)
_HEX_SPAN = re.compile(r"[0-9a-fA-Fx\\ :,]{10,}+")
# Behind a word: its letters may be digits, too.
_GLUED_HEX = re.compile(r"[0-9a-fA-F]{24,}+")
_HEX_DIGITS = re.compile(r"0x|\\x|[ :,]")
_BINARY = re.compile(r"(?<![0-9A-Za-z])[01]{8}(?:[ ,]?[01]{8}){2,}+(?![0-9A-Za-z])")
# Quick to look for, and in every run of these digits that holds plain letters.
# (Written so that each begins with one set of characters: the engine skips to those at once.)
_HEX_HINT = re.compile(
    r"[2-7][0-9a-fA-F][ :,]?(?:0x|\\x)?[2-7][0-9a-fA-F][ :,]?(?:0x|\\x)?[2-7][0-9a-fA-F]"
)
_BINARY_HINT = re.compile("[01][01]{7}")
_CERTAIN = 16
"""From so many characters on, chance makes no printable UTF-8 of bytes that are no text."""
_READABLE_PART = re.compile(
    "[A-Za-z ,.!?'\n]{12,}+(?:[^\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*)"
    "|[^\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]{24,}"
)
"""So much readable text in a row is none by chance, whatever noise stands around it."""
_READABLE_SHARE = 0.9
"""Of a shorter run's characters: letters and spaces."""


def unescape(text: str) -> str:
    """Escapes, entities and percent codes as what they stand for; words without mark-up inside."""
    if "\\u" in text or "\\x" in text or "\\U" in text:
        text = _read_escapes(text)
    if "&" in text:
        text = read_entities(text)
    if "%" in text:
        # In addresses, too: what stands in a query is read by whoever reads the address.
        text = _PERCENT.sub(_read_percent, text)
    if "<" in text:
        text = substitute_from("<", _TAG_IN_WORD, lambda _: "", text)
    if "*" in text or "~~" in text:
        text = substitute(_EMPHASIS_IN_WORD, lambda run: run[2] or run[4] or run[5], text)
    if "+" in text:
        text = _JOINED_LITERALS.sub("", text)
    return text


def decode_runs(text: str) -> str:
    """Runs of base64, base32, hexadecimal or binary digits as the text they hold, if they do."""
    for _ in range(_RUNS_DEEP):
        decoded = _decode_once(text)
        if decoded == text:
            break
        text = decoded
    return text


def _decode_once(text: str) -> str:
    if occurs(_BINARY_HINT, text):
        text = _BINARY.sub(_decoder(_binary_bytes), text)
    if occurs(_HEX_HINT, text):
        text = substitute_within(_HEX_SPAN, _HEX, _decoder(_hex_bytes), text)
        text = substitute(_GLUED_HEX, _decoder(_hex_bytes, shifts=2), text)
    if max(map(len, text.split()), default=0) >= _RUN:
        text = substitute(_BASE32, _decoder(_base32_bytes), text)
        text = substitute(_BASE64, _decoder(_base64_bytes, shifts=4), text)
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


def read_entities(text: str, *, letters: bool = True) -> str:
    """Entities as what they stand for; without `letters` only those that honest mark-up has.

    It escapes signs; who escapes letters, digits or an @ hides them.
    """

    def character(found: re.Match[str]) -> str:
        read = html.unescape(found[0])
        shown = letters or not _HIDDEN.search(unicodedata.normalize("NFKC", read))
        return read if shown else found[0]

    for _ in range(_ENTITIES_DEEP):
        escaped, text = text, _ENTITY.sub(character, text)
        if text == escaped:
            break
    return text


def _read_percent(run: re.Match[str]) -> str:
    try:
        return bytes.fromhex(run[0].replace("%", "")).decode("utf-8")
    except UnicodeDecodeError:
        return run[0]


def _decoder(read: Callable[[str], bytes], *, shifts: int = 1) -> Callable[[re.Match[str]], str]:
    """Reads a run of digits. A word that stands against it is read as a part of it, and is noise
    then; one in front may shift the digits by up to `shifts` - 1.
    """

    def decoded(run: re.Match[str]) -> str:
        parts: list[str] = []
        for shift in range(shifts):
            try:
                text = read(run[0][shift:]).decode("utf-8", "replace")
            except (ValueError, binascii.Error):
                continue
            if not shift and _is_readable(text):
                return f" {text} "
            parts += _READABLE_PART.findall(text)
        return f" {' '.join(parts)} " if parts else run[0]

    return decoded


def _is_readable(text: str) -> bool:
    if "\ufffd" in text:
        return False
    if len(text) >= _CERTAIN:
        return all(character.isprintable() or character in "\t\r\n" for character in text)
    readable = sum(character.isalpha() or character in " \n.,!?'" for character in text)
    return len(text) > 2 and readable >= _READABLE_SHARE * len(text)


def _base64_bytes(run: str) -> bytes:
    digits = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits are no byte
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def _base32_bytes(run: str) -> bytes:
    digits = run.rstrip("=")
    return base64.b32decode(digits + "=" * (-len(digits) % 8))


def _hex_bytes(run: str) -> bytes:
    digits = _HEX_DIGITS.sub("", run)
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _binary_bytes(run: str) -> bytes:
    digits = run.replace(" ", "").replace(",", "")
    return bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8))
