"""That a stream says the parts of its answer in their order, one after the other.

Clients put each text where its numbers say, and show the places in order. What follows what is
judged as it came, so what goes back to an earlier place, or tells two texts of one place apart by
their ids, would be read otherwise than it was judged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from guardproxy.errors import StreamError
from guardproxy.strict_json import JsonValue

_POSITION = re.compile(r"\[(-?\d+)\]")
_MOST_IDS = 4_096
"""Ids remembered per place; some servers give each event one of its own."""


@dataclass(slots=True)
class _Front:
    """How far one kind of text has come: its place, whose it is, and whose it was there before.

    Ids are kept as hashes, so that their size does not matter.
    """

    place: tuple[int, ...]
    whose: int | None = None
    before: dict[int, None] = field(default_factory=dict)


class Order:
    """Follows the texts of one stream; those of different kinds may take turns."""

    def __init__(self) -> None:
        self._fronts: dict[str, _Front] = {}

    def follow(self, channel: str, whose: JsonValue = None) -> None:
        """Notes that a text goes on, or begins.

        Args:
            channel: of the text; the positions in it are its place.
            whose: the id of what it belongs to, as far as the stream names one.

        Raises:
            StreamError: the text goes back.
        """
        place = tuple(int(number) for number in _POSITION.findall(channel))
        kind = _POSITION.sub("[]", channel)
        front = self._fronts.get(kind)
        if front is None or place > front.place:
            front = self._fronts[kind] = _Front(place)
        elif place < front.place:
            raise StreamError("the stream goes back to an earlier part of the answer")
        _go_on(front, whose)

    def stay(self, channel: str, whose: JsonValue) -> None:
        """As `follow`, for texts of which any may go on at any time."""
        _go_on(self._fronts.setdefault(channel, _Front(())), whose)


def number_of(value: JsonValue) -> int | None:
    """A place in a list; None if there is none.

    Raises:
        StreamError: some clients may read it as a number, and others not.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise StreamError("an event of the stream has an index that is no number")


def _go_on(front: _Front, named: JsonValue) -> None:
    if not isinstance(named, str) or not named or (whose := hash(named)) == front.whose:
        return
    if whose in front.before:
        raise StreamError("the stream goes back to an earlier id")
    if front.whose is not None:
        front.before[front.whose] = None
    if len(front.before) > _MOST_IDS:
        del front.before[next(iter(front.before))]
    front.whose = whose
