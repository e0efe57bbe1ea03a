"""Base64, and what can be said of the bytes below it: a medium, noise, or a text after all."""

from __future__ import annotations

import base64
import re
from typing import Final

from guardproxy.content import MediaKind

LONG: Final = 256
"""Characters from which base64 is no word and no id, whatever stands around it."""

_LEAST = 64
"""No medium is shorter, so nobody needs to look at how it begins."""
_HEAD = 32
_CODED_HEAD = re.compile(rf"\s*[A-Za-z0-9+/_-]{{{_HEAD}}}", re.ASCII)
# In one line, or in long lines as mail and `base64` wrap it.
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{32,}\r?\n)*[A-Za-z0-9+/_-]*={0,2}\s*", re.ASCII)
_ONE_ALPHABET = str.maketrans("-_", "+/", "=\r\n")
_BEGINNINGS = tuple(
    (re.compile(form, re.DOTALL), kind)
    for form, kind in (
        (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*", MediaKind.IMAGE),
        (rb"BM....\0{4}|....ftyp(?:hei[cx]|mif1|avif)", MediaKind.IMAGE),
        (rb"RIFF....WAVE|ID3[\x02-\x04]|OggS|fLaC|FORM....AIF|....ftypM4A", MediaKind.AUDIO),
        (rb"RIFF|....ftyp|\x1aE\xdf\xa3|%PDF-|PK\x03\x04|\xd0\xcf\x11\xe0", MediaKind.FILE),
    )
)
_EIGHTHS = tuple(bytes(range(first, first + 32)) for first in range(0, 256, 32))
_EVEN = (0.05, 0.20)
"""Shares of noise that each eighth of all byte values has, an eighth in the mean.

Text leaves some of them empty in every encoding, even Chinese in UTF-16 (a quarter in some).
"""
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SEALED = frozenset(
    {"signature", "encrypted", "cursor", "token", "hash", "key", "etag", "id", "cache"}
)
"""Words in the names of what only its maker can open, whatever stands around it."""
_LAST_NAME = re.compile(r"([^.\[\]]*)(?:\[\d+\])*$")
_SEALED_PLACE = re.compile(r"(?:.*\.)?reasoning_details\[\d+\]\.data")
"""OpenRouter's encrypted thoughts; the type beside them says what they are."""


def is_base64(value: str) -> bool:
    """Holds nothing but base64, in one line or in several."""
    return _BASE64.fullmatch(value) is not None


def may_be_coded(text: str) -> bool:
    """A quick look: whether a text begins as base64 that is long enough for a medium."""
    return len(text) >= _LEAST and bool(_CODED_HEAD.match(text))


def begun_kind(text: str) -> MediaKind | None:
    """What the first bytes say; for what `may_be_coded` and begins with no white space."""
    head = base64.b64decode(text[:_HEAD].encode(), altchars=b"-_")
    return next((kind for form, kind in _BEGINNINGS if form.match(head)), None)


def is_coded_medium(text: str) -> bool:
    """Whether it is a medium by its first bytes, and by the others no text in a medium's dress."""
    text = text.strip()
    if len(text) < LONG or not may_be_coded(text):
        return False
    return begun_kind(text) is not None and _is_noise(text)


def is_sealed(path: str, text: str) -> bool:
    """Whether only its maker can open it: by its name, and by bytes that nobody can read.

    Encrypted thoughts, signatures and cursors, which clients send back as they came.
    """
    if not may_be_coded(text):
        return False
    name = _LAST_NAME.search(path)
    named = name is not None and is_sealed_name(words_of(name[1]))
    return (named or _SEALED_PLACE.fullmatch(path) is not None) and _is_noise(text)


def words_of(key: str) -> list[str]:
    """`imageUrls` and `image_url` as image, url."""
    return [word.lower() for word in _WORD.findall(key)]


def is_sealed_name(words: list[str]) -> bool:
    """Whether a name says that what stands there is not meant to be read."""
    return not _SEALED.isdisjoint(word.removesuffix("s") for word in words)


def _is_noise(text: str) -> bool:
    """Whether base64 holds bytes that are spread as evenly as what is compressed or encrypted."""
    if not is_base64(text):
        return False
    letters = text.translate(_ONE_ALPHABET)
    data = base64.b64decode(letters[: len(letters) // 4 * 4])
    low, high = (share * len(data) for share in _EVEN)
    return all(low <= len(data) - len(data.translate(None, eighth)) <= high for eighth in _EIGHTHS)
