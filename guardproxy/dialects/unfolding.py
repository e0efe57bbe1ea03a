"""What JSON that comes in pieces says, where escapes hide it: a tool's arguments in a stream.

`leaves.unfolded` does the same for arguments that are whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardproxy.dialects.base import Piece

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_UNFINISHED = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_SIGNS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_LEVELS = 4
TAIL = 240
"""Characters before a change of channel that are read again with what follows."""


class Unfolding:
    """Reads the pieces of one channel, with the JSON inside its strings, some levels deep.

    A level speaks up once an escape has hidden something there, and from then on always.
    """

    def __init__(self, channel: str) -> None:
        self._levels = [_Level(f"{channel}.unfolded{level}") for level in range(_LEVELS)]

    def read(self, text: str) -> Iterator[Piece]:
        """What the next piece adds, decoded."""
        for level in self._levels:
            text, shown = level.read(text)
            if shown:
                yield Piece(level.channel, shown)


class _Level:
    def __init__(self, channel: str) -> None:
        self.channel = channel
        self._rest = ""
        self._tail = ""
        self._hides = False

    def read(self, text: str) -> tuple[str, str]:
        """The text without its escapes, and what of it is to be judged."""
        text = self._rest + text
        cut = _cut(text)
        text, self._rest = text[:cut], text[cut:]
        decoded = _ESCAPE.sub(_sign, text)
        begins = not self._hides and ("\\u" in text or "\\\\" in text)
        self._hides |= begins
        shown = ""
        if self._hides:
            shown = self._tail + decoded if begins else decoded
        self._tail = (self._tail + decoded)[-TAIL:]
        # Halves of a surrogate pair meet here; one alone is no text.
        return decoded, shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cut(text: str) -> int:
    """Where the escape begins that the next piece finishes."""
    unfinished = _UNFINISHED.search(text)
    if unfinished is None:
        return len(text)
    start = unfinished.start()
    before = len(text[:start]) - len(text[:start].rstrip("\\"))
    # An even number of backslashes before it: it is the beginning of an escape of its own.
    return start if before % 2 == 0 else len(text)


def _sign(match: re.Match[str]) -> str:
    if match[1] is not None:
        return chr(int(match[1], 16))
    return _SIGNS.get(match[2], match[2])
