"""One channel of a stream: the end of its text, and how far that was judged and may leave. Pure.

A judgement does not see a whole channel but a window of it: the new text and what stood just
before, so that the work grows with the answer, not with its square, and memory is bounded.
Windows begin at multiples of a step, so that a later one repeats as few beginnings as possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Self

from guardproxy.unfinished import is_half, unfinished_value

WINDOW = 1_000
"""Characters of a channel that one judgement sees, about one window of 256 tokens."""
_STEP = 500
_OVERLAP = 250
"""Characters before the new text that a judgement sees again, at least."""
_PATIENCE = 4 * WINDOW
"""Characters said elsewhere before what looks like half of a value is taken for all of it."""

FRAME = frozenset({"sse", "raw", "$", "choices"})
"""Channels beside the answer: comments and event names, data that is no JSON, fields around it,
what is said across choices."""
_ANSWER = re.compile(r"\$\.(?:message|outputs|response|seam|thinking)\b|choices\.seam\Z")
"""Channels of an answer that are named like fields around one."""


@dataclass(slots=True)
class Channel:
    """The end of one channel's text. Offsets count characters from the channel's beginning.

    `speaker` is whose words it holds; with `frames` it stands beside the answer, and as long as
    each of its texts is one word, they are ids and names, which do not go on (`ids`).
    `judged` is how far a judgement has seen it, `passed` how far one found nothing to block,
    `settled` how far it may leave. `left` is how much the stream had said when its speaker went
    on elsewhere, and `kept` what may be unfinished at the end of what is judged.
    """

    speaker: str = ""
    frames: bool = False
    ids: bool = False
    tail: str = ""
    tail_start: int = 0
    end: int = 0
    judged: int = 0
    passed: int = 0
    settled: int = 0
    left: int | None = None
    kept: str = ""
    new: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, name: str) -> Self:
        """An empty channel of that name."""
        whose = speaker(name)
        frames = whose in FRAME and not _ANSWER.match(name)
        return cls(whose, frames=frames, ids=frames)

    def add(self, text: str) -> None:
        self.new.append(text)
        self.end += len(text)
        self.left = None
        self.ids = self.ids and len(text.split(maxsplit=1)) < 2

    def leave(self, said: int) -> None:
        """Its speaker goes on elsewhere."""
        if self.left is None:
            self.left = said - (_PATIENCE if self.ids else 0)

    def may_leave(self, end: int, said: int) -> bool:
        """Its text up to `end` is judged, and is not the beginning of a value that goes on."""
        if self.settled >= end:
            return True
        if self.left is None or self.passed < end:
            return False
        return said - self.left >= _PATIENCE or not is_half(self.kept)

    def window(self) -> str:
        """The new text with what stood before it."""
        self._join()
        return self.tail[self._window_start() - self.tail_start :]

    def wait(self, covered: int) -> None:
        """Its text was seen, and nothing is decided until more of it is there."""
        self.judged = covered

    def settle(self, covered: int, *, hold_values: bool) -> None:
        """Moves the marks up to which text has passed and may leave; forgets what is over."""
        self._join()
        self.judged = self.passed = covered
        text = self.tail[: covered - self.tail_start]
        kept = unfinished_value(text) if hold_values else 0
        self.settled = max(self.settled, covered - kept)
        self.kept = text[len(text) - kept :]
        start = self._window_start()
        self.tail = self.tail[start - self.tail_start :]
        self.tail_start = start

    def _window_start(self) -> int:
        """A multiple of the step; never decreases, as neither mark does.

        Nothing is forgotten before it has passed.
        """
        latest = max(0, self.passed - _OVERLAP)
        wanted = -(-max(0, self.end - WINDOW) // _STEP) * _STEP
        return min(wanted, latest // _STEP * _STEP)

    def _join(self) -> None:
        if self.new:
            self.tail += "".join(self.new)
            self.new.clear()


def speaker(channel: str) -> str:
    """Whose words a channel holds: one choice's, what frames the events, or the one answer's.

    Choices speak at the same time, and so does the frame; all else comes one after the other.
    """
    first = channel.partition(".")[0]
    return first if first in FRAME or first.startswith("choices[") else ""
