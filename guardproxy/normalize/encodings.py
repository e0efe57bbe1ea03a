"""Undoing encodings: runs of base64, base32, hexadecimal, decimal or binary digits."""

from __future__ import annotations

import base64
import binascii
import math
import re
import string
from collections.abc import Callable, Iterable, Iterator

from guardproxy.normalize.slices import occurs, substitute, substitute_within

_RUNS_DEEP = 2
_RUN = 12
"""Shortest run of characters to try: shorter ones are words."""
_BETWEEN = r"[\s,;:.-]{1,3}"
_SEPARATORS = re.compile(r"[\s,;:.-]+")
# An equals sign ends one run and may begin the next: `q=...`, and one padded run behind another.
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{12,}+={0,2}")
_BASE32 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Z2-7]{16,}+(?![A-Za-z0-9+/_-])={0,6}")
_SMALL_BASE32 = re.compile(r"(?<![A-Za-z0-9+/_-])[a-z2-7]{16,}+(?![A-Za-z0-9+/_-])={0,6}")
_RUN_OF_32 = 16
# In one piece or in groups, so that a short word of such letters after it ends the first.
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:(?:(?:0[xX]|\\x)?[0-9a-fA-F]{2}){5,}+(?![0-9A-Za-z])"
    r"|(?:0[xX]|\\x)?[0-9a-fA-F]{2}(?:[\s,;:.-]{0,3}(?:0[xX]|\\x)?[0-9a-fA-F]{2}){4,}(?![0-9A-Za-z]))"
)
_HEX_SPAN = re.compile(r"[0-9a-fA-FxX\\\s,;:.-]{10,}+")
_FROM_URL = str.maketrans("-_", "+/")
# Behind a word: its letters may be digits, too.
_GLUED_HEX = re.compile(r"[0-9a-fA-F]{24,}+")
_HEX_MARK = re.compile(r"0[xX]|\\x|[\s,;:.-]+")
# A column, a date, a telephone number: few numbers, not set as bytes are.
_FEW_NUMBERS = re.compile(r"[0-9]{2}(?:(?![ :,][0-9])[\s,;:.-]{1,3}[0-9]{2}){4,9}")
_BINARY = re.compile(
    rf"(?<![0-9A-Za-z])(?:0b)?[01]{{8}}(?:(?:{_BETWEEN})?(?:0b)?[01]{{8}}){{2,}}(?![0-9A-Za-z])"
)
_BYTE = re.compile("[01]{8}")
_LONG_WORD = 10
"""So many decimal codes of small letters alone are no table."""
_PRINTABLE_CODE = "(?:1[01][0-9]|12[0-6]|3[2-9]|[4-9][0-9])"
_DECIMAL = re.compile(
    rf"(?<![0-9A-Za-z]){_PRINTABLE_CODE}(?:{_BETWEEN}{_PRINTABLE_CODE}(?![0-9A-Za-z])){{4,}}+"
)
# Quick to look for, and in every run of these digits that holds plain letters.
# (Written so that each begins with one set of characters: the engine skips to those at once.)
_HEX_HINT = re.compile(
    r"[2-7][0-9a-fA-F][\s,;:.-]{0,3}(?:0[xX]|\\x)?(?:00[\s,;:.-]{0,3}(?:0[xX]|\\x)?)?"
    r"[2-7][0-9a-fA-F][\s,;:.-]{0,3}(?:0[xX]|\\x)?(?:00[\s,;:.-]{0,3}(?:0[xX]|\\x)?)?"
    r"[2-7][0-9a-fA-F]"
)
_BINARY_HINT = re.compile("[01][01]{7}")
_DECIMAL_KINDS = re.compile(rb"00(?: {1,3}0{2,3}){4}")
_CERTAIN = 16
"""From so many characters on, chance makes no printable UTF-8 of bytes that are no text."""
_LEGIBLE = "[^\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_READABLE_PART = re.compile(f"[A-Za-z ,.!?'\n]{{12,}}+{_LEGIBLE}*|{_LEGIBLE}{{24,}}")
"""So much readable text in a row is none by chance, whatever noise stands around it."""
_READABLE_SHARE = 0.9
"""Of a shorter run's characters: letters and spaces."""
_GROUPED_PART = re.compile(f"[A-Za-z ,.!?'\n]{{8,}}+{_LEGIBLE}*")
"""As above, for groups: that all have one length is no chance, either."""

# One sign for what each character is, so that the engine has little to look for.
_KIND_SIGNS = b" " * 48 + b"0" * 10 + b" " * 7 + b"A" * 26 + b" " * 6 + b"a" * 26 + b" " * 133


def _marking(digits: str) -> bytes:
    """A table that makes these characters an a and others, but for equals signs, a space."""
    return "".join(
        "a" if chr(code) in digits else "=" if code == ord("=") else " " for code in range(256)
    ).encode()


_DIGIT_SIGNS = _marking(string.ascii_letters + string.digits + "+/_")
_RUN_SIGNS = _marking(string.ascii_letters + string.digits + "+/_-")
_CAPITAL_32_SIGNS = _marking(string.ascii_uppercase + "234567")
_SMALL_32_SIGNS = _marking(string.ascii_lowercase + "234567")
# Within words capitals and digits follow letters seldom, in groups of base64 and base32 often.
_MIXED = (b"aA", b"a0", b"A0", b"AAa", b"AAAA AAAA")


def _groups(size: int) -> str:
    """The rest of a pattern of groups, behind `size` signs of the first.

    All are of one length, the last perhaps shorter; from the length of a run on, that is seen
    later. Two are enough if they are longer than words or the last is padded.
    """
    padded = f" {{1,4}}a{{1,{_RUN - 1}}}=++(?!a)"
    if size == _RUN:
        return f"a*+(?:(?: {{1,4}}a{{{_RUN},}}+)++(?: {{1,4}}a++)?|{padded})"
    more = f"(?: {{1,4}}a{{{size}}}(?!a)){{{2 if size < 6 else 1},}}+"
    equal = f"{more}(?: {{1,4}}a{{1,{size - 1}}}(?!a))?"
    return f"(?:{equal}|{padded}|a{_groups(size + 1)})"


_GROUPS = re.compile(f"[ =]aaaa{_groups(4)}".encode())
_GROUP = re.compile("[A-Za-z0-9+/_]+")
_GROUPED_32 = re.compile("[A-Z2-7]{12,}|[a-z2-7]{12,}")


def decode_runs(text: str) -> str:
    """Runs of base64, base32, hexadecimal, decimal or binary digits as the text they hold, if any.

    They may stand in groups of one length, as `base64 -w`, a C array or a dump sets them.
    """
    for _ in range(_RUNS_DEEP):
        decoded = _decode_once(text)
        if decoded == text:
            break
        text = decoded
    return text


def _decode_once(text: str) -> str:
    signs = text.encode("ascii", "replace")
    if b"0" in (kinds := signs.translate(_KIND_SIGNS)):
        text = _decode_numbers(text, kinds)
        signs = text.encode("ascii", "replace")
        kinds = signs.translate(_KIND_SIGNS)
    if _is_mixed(kinds):
        text = "".join(_decode_groups(text, signs, kinds))
        signs = text.encode("ascii", "replace")
    if b"a" * _RUN in signs.translate(_RUN_SIGNS):
        for digits, pattern in ((_CAPITAL_32_SIGNS, _BASE32), (_SMALL_32_SIGNS, _SMALL_BASE32)):
            if b"a" * _RUN_OF_32 in signs.translate(digits):
                text = substitute(pattern, _decoder(_base32_bytes), text)
        text = substitute(_BASE64, _decoder(_base64_bytes, shifts=range(4)), text)
    return text


def _is_mixed(kinds: bytes) -> bool:
    return any(hint in kinds for hint in _MIXED)


def _decode_numbers(text: str, kinds: bytes) -> str:
    if occurs(_BINARY_HINT, text):
        text = _BINARY.sub(_decoder(_binary_bytes), text)
    if _DECIMAL_KINDS.search(kinds):
        text = substitute(_DECIMAL, _decoder(_decimal_bytes), text)
    if occurs(_HEX_HINT, text):
        text = substitute_within(_HEX_SPAN, _HEX, _decoder(_hex_bytes), text)
        text = substitute(_GLUED_HEX, _decoder(_hex_bytes, shifts=range(2)), text)
    return text


def _decode_groups(text: str, signs: bytes, kinds: bytes) -> Iterator[str]:
    """The pieces of the text, of these signs, with groups of digits as what they hold."""
    end = 0
    for found in _GROUPS.finditer(b" " + signs.translate(_DIGIT_SIGNS)):
        start, stop = found.start(), found.end() - 1
        groups = _GROUP.findall(text, start, stop)
        size = len(groups[0])
        equal = {*map(len, groups[:-1])} == {size} and len(groups[-1]) <= size
        if not equal or not _is_mixed(kinds[start:stop]):
            continue
        held = _held_by_groups("".join(groups), size)
        if held:
            yield text[end:start]
            yield held
            end = stop
    yield text[end:]


def _held_by_groups(digits: str, size: int) -> str | None:
    # A word in front is taken for one more group: nothing else shifts the digits.
    shifts = range(0, 8, math.gcd(size, 8))
    for digits_of_32 in _GROUPED_32.findall(digits):
        held = _held(digits_of_32, _base32_bytes, shifts=shifts, part=_GROUPED_PART)
        if held:
            return held
    shifts = range(0, 4, math.gcd(size, 4))
    return _held(digits, _base64_bytes, shifts=shifts, part=_GROUPED_PART)


def _decoder(
    read: Callable[[str], bytes], *, shifts: Iterable[int] = (0,)
) -> Callable[[re.Match[str]], str]:
    return lambda run: _held(run[0], read, shifts=shifts) or run[0]


def _held(
    run: str,
    read: Callable[[str], bytes],
    *,
    shifts: Iterable[int] = (0,),
    part: re.Pattern[str] = _READABLE_PART,
) -> str | None:
    """The text that a run of digits holds, or its readable parts, or nothing.

    A word that stands against it is read as a part of it, and is noise then; one in front
    shifts the digits.
    """
    parts: list[str] = []
    for shift in shifts:
        try:
            text = _narrow(read(run[shift:])).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            continue
        if not shift and _is_readable(text):
            return f" {text} "
        parts += part.findall(text)
    return f" {' '.join(parts)} " if parts else None


def _narrow(held: bytes) -> bytes:
    """UTF-16 of plain letters, which every second byte of zero tells, as UTF-8."""
    wide = len(held) <= 3 * held.count(0)
    return held.replace(b"\0", b"").removeprefix(b"\xff\xfe") if wide else held


def _is_readable(text: str) -> bool:
    if "\ufffd" in text:
        return False
    if len(text) >= _CERTAIN:
        return all(character.isprintable() or character in "\t\r\n" for character in text)
    readable = sum(character.isalpha() or character in " \n.,!?'" for character in text)
    return len(text) > 2 and readable >= _READABLE_SHARE * len(text)


def _base64_bytes(run: str) -> bytes:
    digits = run.rstrip("=")
    groups = digits.split("-")
    if len(groups) > 2 and len(set(map(len, groups[:-1]))) == 1:
        digits = "".join(groups)  # equal groups: it parts them
    digits = digits.translate(_FROM_URL)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # six bits are no byte
    return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)


def _base32_bytes(run: str) -> bytes:
    digits = run.rstrip("=")
    digits = digits[: len(digits) - (len(digits) % 8 in {1, 3, 6})]  # five bits are no byte
    return base64.b32decode(digits + "=" * (-len(digits) % 8), casefold=True)


def _hex_bytes(run: str) -> bytes:
    if _FEW_NUMBERS.fullmatch(run):
        raise ValueError
    digits = _HEX_MARK.sub("", run)
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _decimal_bytes(run: str) -> bytes:
    """The characters of these codes, if they look like words rather than like a table."""
    held = bytes(map(int, _SEPARATORS.split(run)))
    small = sum(letter >= ord("a") for letter in held)
    words = b" " in held.strip() and (2 * small >= len(held) or len(held) >= _CERTAIN)
    word = small == len(held) >= _LONG_WORD
    if not (words or word):
        raise ValueError
    return held


def _binary_bytes(run: str) -> bytes:
    return bytes(int(digits, 2) for digits in _BYTE.findall(run.replace("0b", "")))
