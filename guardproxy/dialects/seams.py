"""What is said across a change of channel: from reasoning to content, from one part to the next.

Each channel is judged by itself, and a phrase can be cut between two: `kil` ends the reasoning,
`ling` begins the answer. Whoever shows both, one after the other, shows the phrase. So what stands
around such a change is a text of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from guardproxy.dialects.base import Piece
from guardproxy.dialects.unfolding import TAIL

_CHUNKS = r"(?:\.(?:text|input_text|output_text|refusal|thinking|reasoning|summary|other))*+"
"""What follows where a text is a list of chunks of several kinds."""
_SPOKEN = re.compile(
    r"(?P<speaker>(?:choices\[\d+\]|\$(?:\.message)?|content))"
    r"\.(?:content|text|response|refusal|reasoning_content|reasoning|thinking|delta|message"
    r"|audio\.transcript)"
    + _CHUNKS
    + r"|(?:\$\.)?outputs\[\d+\]\.content"
    + _CHUNKS
    + r"|(?:\$|output(?:\[(?:-?\d+)?\](?:\.(?:content|summary)\[(?:-?\d+)?\])*)?)"
    r"\.(?:text|refusal|output_text|reasoning_text|reasoning_summary_text|reasoning"
    r"|reasoning_summary|audio\.transcript|delta)"
)
"""Channels of what clients show; where nobody else speaks, one speaker is enough."""


# Every piece of every answer asks, and an answer has a handful of channels.
@lru_cache(maxsize=1_024)
def _speaker_of(channel: str) -> str:
    """Who speaks in a channel; nobody in one that clients do not show."""
    match = _SPOKEN.fullmatch(channel)
    return (match["speaker"] or "$") if match else ""


@dataclass(slots=True)
class _Speaker:
    """Who says one thing after the other: the channel that is open, and how it was reached.

    `room` counts the characters that still belong to the last change.
    """

    channel: str
    tail: str = ""
    room: int = 0


class Seams:
    """Reads the pieces of one answer, in order; `speaker_of` says who speaks in a channel, if any.

    What it adds is at most as much again as the pieces hold: `TAIL` characters before a change
    are repeated only after as many have gone by without one.
    """

    def __init__(self, speaker_of: Callable[[str], str] = _speaker_of) -> None:
        self._speaker_of = speaker_of
        self._speakers: dict[str, _Speaker] = {}

    def read(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces, and after each what it adds to the text around a change."""
        for piece in pieces:
            yield piece
            if seam := self.after(piece):
                yield seam

    def after(self, piece: Piece) -> Piece | None:
        """What the next piece adds to the text around a change, if it adds to one."""
        name = self._speaker_of(piece.channel)
        if name and (around := self._around(name, piece)):
            return Piece(f"{name}.seam", around)
        return None

    def _around(self, name: str, piece: Piece) -> str:
        speaker = self._speakers.setdefault(name, _Speaker(piece.channel))
        before = ""
        if piece.channel != speaker.channel:
            if not speaker.room:
                before = "\n" + speaker.tail
            speaker.channel, speaker.room = piece.channel, TAIL
        added = piece.text[: speaker.room]
        speaker.room -= len(added)
        speaker.tail = (speaker.tail + piece.text)[-TAIL:]
        return before + added


def is_shown(channel: str) -> bool:
    """Whether clients show what is said there, one piece after the other."""
    return bool(_speaker_of(channel))
