"""Which strings below a JSON value are not text, as long as they look the part.

A dialect says where ids, sealed values and media stand; `contents` believes it only for strings
that look like one. All else is text, and so is every key that is no plain identifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.leaves import (
    embedded_media,
    everything_in,
    is_payload,
    is_token,
    is_unread,
    says_nothing,
    text_leaves,
    unfolded,
)
from guardproxy.dialects.media_clues import clued_media
from guardproxy.strict_json import JsonValue, string_leaves

_SEALED = re.compile(r"[A-Za-z0-9+/=_-]*", re.ASCII)
_NOWHERE = re.compile(r"(?!)")
_POSITION = re.compile(r"\[-?\d+\]")
_MEDIUM_CHARACTERS = 256
"""An answer holds media whole; what is shorter may be a word."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Paths below a value (`a.b[0].c`), by what stands there.

    Attributes:
        structure: ids and enum values.
        sealed: what only the upstream can open: signatures, encrypted thoughts and results.
        media: a medium, its address or its id.
    """

    structure: re.Pattern[str]
    sealed: re.Pattern[str] = _NOWHERE
    media: re.Pattern[str] = _NOWHERE

    def passes(self, path: str, text: str) -> bool:
        """Whether a string there is nothing that anybody reads."""
        if self.structure.fullmatch(path) and is_token(text):
            return True
        return bool(self.sealed.fullmatch(path) and _SEALED.fullmatch(text))


NO_SHAPE = Shape(_NOWHERE)


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands below a value: (path, text) pairs; kind and characters of each medium.

    The kind is None where nothing but the dialect knows it.
    """

    texts: tuple[tuple[str, str], ...]
    media: tuple[tuple[MediaKind | None, int], ...]

    @property
    def text(self) -> str:
        """All texts, one a line."""
        return "\n".join(text for _, text in self.texts)


def without_positions(path: str) -> str:
    """`a[0].b` as `a[].b`: the channel of what stands there in any item."""
    return _POSITION.sub("[]", path)


def contents(
    value: JsonValue, shape: Shape, *, least: int = 0, addresses: bool = False
) -> Contents:
    """See `Contents`. A coded `data:` URL is a medium wherever it stands.

    What is shorter than `least` and stands where media do is text: one word looks like base64.
    Elsewhere a coded URL, and what some clue says is a medium (`addresses`: see `clued_media`), is
    judged as a text as well, but for what is one by its own bytes.
    """
    texts: list[tuple[str, str]] = []
    media: list[tuple[MediaKind | None, int]] = []
    for path, text in text_leaves(value):
        if shape.passes(path, text):
            continue
        placed = shape.media.fullmatch(path) is not None
        if found := embedded_media(text):
            media += found
        elif placed and len(text) >= least and is_payload(text):
            media.append((None, len(text)))
            continue
        if not (found and placed):
            texts.append((path, text))
    # What stands where sealed values and media do has been dealt with.
    unknown = {path for path, _ in texts}
    texts = [(path, text) for path, text in texts if not is_unread(text)]
    if unknown:
        media += [
            (clued.kind, len(clued.text))
            for clued in clued_media(value, addresses=addresses)
            if clued.path in unknown
        ]
    return Contents(tuple(texts), tuple(media))


@dataclass(slots=True)
class ShapedSaid(Said):
    """What one body or one event says, collected, read by a shape of its own."""

    shape: Shape = NO_SHAPE

    def say_rest(
        self,
        place: str,
        rest: JsonValue,
        shape: Shape | None = None,
        kind: MediaKind = MediaKind.FILE,
    ) -> None:
        """As `Said.say_rest`; with a shape for this value alone, and the kind of its media."""
        shape = shape or self.shape
        if says_nothing(rest, shape.structure):
            return
        found = contents(rest, shape, least=_MEDIUM_CHARACTERS)
        together: dict[str, list[str]] = {}
        for path, text in found.texts:
            together.setdefault(without_positions(path), []).append(text)
        for path, texts in together.items():
            channel = f"{place}.{path}" if path else place
            self.rest.append((place, Piece(channel, "\n".join(texts))))
        for embedded, size in found.media:
            same = kind if embedded in (None, kind) else MediaKind.FILE
            self.media.append(MediaPart(Role.ASSISTANT, same, place, size))

    def say_all(self, channel: str, value: JsonValue) -> None:
        """Everything in a value, keys too, and what is JSON in its strings: a tool's arguments."""
        self.say(channel, everything_in(value))
        inside = (unfolded(text) for _, text in string_leaves(value, keys=False))
        self.say(f"{channel}.unfolded", "\n".join(filter(None, inside)))
        self.say_numbers(channel, value)
