"""What a stream says in fields that nobody knows, event by event.

The same field of the next event continues it. A text may also be cut over fields of many names;
in a whole answer all such fields of a place are one text, and so they are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardproxy.dialects.base import Piece
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.unfolding import TAIL

# A shorter piece of text may well come twice.
_REPEATED = 16
_ITEM = re.compile(r"(?<!choices)\[-?\d+\]")


class Rest:
    """Reads what the events of one stream say, fields that nobody knows last."""

    def __init__(self) -> None:
        self._before: dict[str, str] = {}
        self._lines = Lines()

    def read(self, said: Said) -> Iterator[Piece]:
        """The pieces of one event. What every event repeats (sources) says nothing new."""
        yield from said.pieces
        for place, piece in said.rest:
            repeated = (
                len(piece.text) >= _REPEATED and self._before.get(piece.channel) == piece.text
            )
            self._before[piece.channel] = piece.text
            if not repeated:
                yield piece
                yield from self._lines.read(place, piece)


class Lines:
    """What the fields of each place say as one text, in lines; silent while it is one field.

    Places of a list are one place, as an answer may have hundreds of items; choices are not.
    """

    def __init__(self) -> None:
        self._only: dict[str, tuple[str, str]] = {}
        self._several: set[str] = set()

    def read(self, place: str, piece: Piece) -> Iterator[Piece]:
        """What a field adds to its place."""
        place = _ITEM.sub("[]", place)
        text = piece.text + "\n"
        if place not in self._several:
            channel = _ITEM.sub("[]", piece.channel)
            field, before = self._only.get(place, (channel, ""))
            if channel == field:
                self._only[place] = field, (before + piece.text)[-TAIL:]
                return
            self._several.add(place)
            text = f"{before}\n{text}"
        yield Piece(f"{place}.rest", text)
