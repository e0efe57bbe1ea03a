"""What stands beside the data of a stream's events: comments, ids, names, fields nobody knows.

It goes on as it came, so it is judged: in lines (`sse`), and joined, as a word may go on in the
next event: comments and unknown fields as one text (`sse.joined`), ids and names as another
(`sse.ids`). An id with digits is in no line, since the model takes a list of such ids for
somebody's numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from guardproxy.dialects.base import Piece
from guardproxy.dialects.leaves import is_token
from guardproxy.sse import ServerSentEvent

# The name of an unknown field parts what it holds from what it held before.
_NAME = re.compile(r"[A-Za-z][\w-]{0,63}: ?", re.ASCII)
# Who says such a word twice in a row says nothing new; half a number may well come twice.
_WORD = re.compile(r"[^\W\d_]{4}")
_COUNT = re.compile(r"\d{1,20}(?:[.:-]\d{1,20})*", re.ASCII)
_DIGIT = re.compile(r"\d")


class Frame:
    """Reads what frames the events of one stream."""

    def __init__(self) -> None:
        self._before: Sequence[str] = ()

    def read(self, event: ServerSentEvent) -> Iterator[Piece]:
        """What an event adds to what those before it said."""
        texts = [text for text in (*event.extra, event.event) if text]
        before, self._before = self._before, texts or self._before
        for at, text in enumerate(texts):
            if at < len(before) and _says_nothing(before[at], text):
                continue
            is_id = text in (*event.ids, event.event)
            if not (is_id and is_token(text) and _DIGIT.search(text)):
                yield Piece("sse", text + "\n")
            if value := _NAME.sub("", text, count=1):
                yield Piece("sse.ids" if is_id else "sse.joined", value)


def _says_nothing(before: str, text: str) -> bool:
    """Whether it adds nothing: a name that every event has, a ping, an id that counts up."""
    if text == before:
        return _WORD.search(text) is not None
    if not (_COUNT.fullmatch(before) and _COUNT.fullmatch(text)):
        return False
    half = (len(text) + 1) // 2
    if len(before) == len(text) and before[:half] == text[:half]:
        return before < text
    return before.isdigit() and text.isdigit() and int(text) == int(before) + 1
