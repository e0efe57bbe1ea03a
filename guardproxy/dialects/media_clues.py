"""Media in fields that nobody knows: what shows that a string there is one, and of which kind.

Most long runs of base64 are sealed: encrypted thoughts, signatures, cursors, keys of a cache.
Clients send them back as they came, and no model reads them. A server that reads a string as a
medium knows its kind from somewhere: its first bytes, a media type beside it, or the name of a
field around it. What has one of these is a medium, and all else is text as everywhere, but for what
`coded` knows as sealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from guardproxy.content import MediaKind
from guardproxy.dialects.coded import (
    LONG,
    begun_kind,
    is_base64,
    is_sealed_name,
    may_be_coded,
    words_of,
)
from guardproxy.dialects.leaves import is_address, kind_of
from guardproxy.strict_json import JsonValue, member_path, string_leaves

_SCHEME = 32
"""Characters in which an address has said how it is to be read."""
_TYPE_KEYS = frozenset({"mimetype", "mediatype", "contenttype"})
_NAMED = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.FILE,
    "document": MediaKind.FILE,
    "file": MediaKind.FILE,
    "gcs": MediaKind.FILE,
}
_SENSED = frozenset({"image", "audio", "video"})
"""Of these, the words that say enough for whatever stands below them."""
_LINKS = frozenset({"url", "uri"})
_TOLD = re.compile(r"metadata|attributes|args|arguments|response", re.IGNORECASE)
"""What a caller notes down, a tool is given or gave back: an address there is text to a model."""


class Clued(NamedTuple):
    """A string that some clue says is a medium."""

    path: str
    text: str
    kind: MediaKind


class _Place(NamedTuple):
    """Where a value stands, and what is known there of media.

    Attributes:
        path: as in `string_leaves`.
        named: the kind that the nearest name of a medium says.
        declared: the kind that a media type beside it says.
        addressed: the kind of what an address there leads to.
        sealed: under a name that `is_sealed_name`.
        told: below a name of `_TOLD`.
    """

    path: str = ""
    named: MediaKind | None = None
    declared: MediaKind | None = None
    addressed: MediaKind | None = None
    sealed: bool = False
    told: bool = False


def clued_media(value: JsonValue, *, addresses: bool = False) -> Iterator[Clued]:
    """The strings below an object or a list that are media, but for `data:` URLs.

    `addresses` counts the address of a medium as well: of what a model reads, it is not here.
    """
    # Iterative, as the depth of `value` need not fit the interpreter's stack.
    waiting: list[tuple[_Place, JsonValue]] = []
    if any(_may_be(text) for path, text in string_leaves(value, keys=False) if path):
        waiting.append((_Place(), value))
    while waiting:
        place, found = waiting.pop()
        if isinstance(found, dict):
            waiting += _members(place, found)
        elif isinstance(found, list):
            waiting += [
                (place._replace(path=f"{place.path}[{at}]"), item)
                for at, item in enumerate(found)
                if isinstance(item, str | dict | list)
            ]
        elif isinstance(found, str) and (kind := _kind(found, place, addresses=addresses)):
            yield Clued(place.path, found, kind)


def _may_be(text: str) -> bool:
    """A quick look, as most values hold nothing of the kind."""
    return "://" in text[:_SCHEME] or may_be_coded(text)


def _members(place: _Place, found: Mapping[str, JsonValue]) -> Iterator[tuple[_Place, JsonValue]]:
    declared = _declared(found)
    for key, member in found.items():
        if isinstance(member, str | dict | list):
            words = _words(key)
            yield (
                _Place(
                    path=member_path(place.path, key),
                    named=_named(words) or place.named,
                    declared=declared if isinstance(member, str) else None,
                    addressed=_addressed(words, place.addressed),
                    sealed=is_sealed_name(words),
                    told=place.told or _TOLD.fullmatch(key) is not None,
                ),
                member,
            )


def _kind(text: str, place: _Place, *, addresses: bool) -> MediaKind | None:
    if addresses and place.addressed and not place.told and is_address(text):
        return place.addressed
    text = text.strip()
    if not may_be_coded(text):
        return None
    kinds = {begun_kind(text)}
    if len(text) >= LONG and not place.sealed:
        kinds |= {place.named, place.declared}
    kinds.discard(None)
    if not kinds or not is_base64(text):
        return None
    # Clues that differ: the strictest rule is a file's.
    return kinds.pop() if len(kinds) == 1 else MediaKind.FILE


def _words(key: str) -> list[str]:
    """The words of a name, media in the singular."""
    return [word if word in _NAMED else word.removesuffix("s") for word in words_of(key)]


def _named(words: list[str]) -> MediaKind | None:
    """The kind of the data that stands under a name."""
    if words[-2:] == ["file", "data"]:
        return MediaKind.FILE
    return next((_NAMED[word] for word in words if word in _SENSED), None)


def _addressed(words: list[str], around: MediaKind | None) -> MediaKind | None:
    """The kind of what an address under a name leads to; `image_url` may hold a `url`."""
    if not words or words[-1] not in _LINKS:
        return None
    return around if len(words) == 1 else _NAMED.get(words[-2])


def _declared(found: Mapping[str, JsonValue]) -> MediaKind | None:
    """What a media type among an object's members says about the others."""
    for key, member in found.items():
        plain = key.replace("_", "").replace("-", "").lower()
        if plain in _TYPE_KEYS and isinstance(member, str) and "/" in member:
            return kind_of(member)
    return None
