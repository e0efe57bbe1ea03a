"""What of a stream may leave, and when. Sans-IO: fed by hand, asked by hand.

A stream is a list of events; each event carries pieces of text, each piece continues a channel
(one choice's content, one tool call's arguments, ...). An event leaves, in order and as it came,
once a passing judgement has covered all of its pieces and those of every event before it.

    hold(raw, read)   an event came
    question()        what to judge next: of each channel, its new text and what stood before
    passed(question)  that was judged and may go
    release()         the events that may leave now

A judgement does not see a whole channel but a window of it: the new text and what stood just
before, so that the work grows with the answer, not with its square, and memory is bounded.
Windows begin at multiples of a step, so that a later one repeats as few beginnings as possible.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.errors import StreamError
from guardproxy.unfinished import is_half, unfinished_value
from guardproxy.verdict import StreamMode

WINDOW = 1_000
"""Characters of a channel that one judgement sees, about one window of 256 tokens."""
_STEP = 500
_OVERLAP = 250
"""Characters before the new text that a judgement sees again, at least."""
_MOST_CHANNELS = 512
_PATIENCE = 4 * WINDOW
"""Characters said elsewhere before what looks like half of a value is taken for all of it."""

_FRAME = frozenset({"sse", "raw", "$"})
"""Channels beside the answer: comments and event names, data that is no JSON, fields around it."""
_ANSWER = re.compile(r"\$\.(?:message|outputs|response|thinking)\b")
"""Channels of an answer that are named like fields around one."""


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that waits: where each of its channels, all text and the media stand after it.

    With one that is `closing` a client takes its answer for whole.
    """

    raw: bytes
    ends: tuple[tuple[str, int], ...]
    said: int
    media_end: int
    finished: tuple[int, ...]
    closing: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What to judge: `complete` by the policy's thresholds, `partial` by those for a beginning.

    `covers` says up to which character of each channel the answer speaks; `media_end` up to
    which medium.
    """

    complete: tuple[TextPart, ...]
    partial: tuple[TextPart, ...]
    media: tuple[MediaPart, ...]
    covers: tuple[tuple[str, int], ...]
    media_end: int


@dataclass(slots=True)
class _Channel:
    """The end of one channel's text. Offsets count characters from the channel's beginning.

    `judged` is how far it was judged by any thresholds, `completed` how far by the policy's own,
    `settled` how far it may leave. `left` is how much the stream had said when its speaker went
    on elsewhere, and `kept` what may be unfinished at the end of what is judged.
    """

    tail: str = ""
    tail_start: int = 0
    end: int = 0
    judged: int = 0
    completed: int = 0
    settled: int = 0
    left: int | None = None
    kept: str = ""
    new: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.new.append(text)
        self.end += len(text)
        self.left = None

    def leave(self, said: int) -> None:
        if self.left is None:
            self.left = said

    def may_leave(self, end: int, said: int) -> bool:
        """Its text up to `end` is judged, and is not the beginning of a value that goes on."""
        if self.settled >= end:
            return True
        if self.left is None or self.judged < end:
            return False
        return said - self.left >= _PATIENCE or not is_half(self.kept)

    def window(self) -> str:
        """The new text with what stood before it."""
        self._join()
        return self.tail[self._window_start() - self.tail_start :]

    def settle(self, covered: int, *, complete: bool, hold_values: bool) -> None:
        """Moves the marks up to which text is judged and may leave; forgets what is over."""
        self._join()
        self.judged = covered
        if complete:
            self.completed = covered
        text = self.tail[: covered - self.tail_start]
        kept = unfinished_value(text) if hold_values else 0
        self.settled = max(self.settled, covered - kept)
        self.kept = text[len(text) - kept :]
        start = self._window_start()
        self.tail = self.tail[start - self.tail_start :]
        self.tail_start = start

    def _window_start(self) -> int:
        """A multiple of the step; never decreases, as neither mark does.

        Nothing is forgotten before the policy's own thresholds have judged it.
        """
        latest = max(0, self.completed - _OVERLAP)
        wanted = -(-max(0, self.end - WINDOW) // _STEP) * _STEP
        return min(wanted, latest // _STEP * _STEP)

    def _join(self) -> None:
        if self.new:
            self.tail += "".join(self.new)
            self.new.clear()


def _speaker(channel: str) -> str:
    """Whose words a channel holds: one choice's, what frames the events, or the one answer's.

    Choices speak at the same time, and so does the frame; all else comes one after the other.
    """
    first = channel.partition(".")[0]
    return first if first in _FRAME or first.startswith("choices[") else ""


class StreamGuard:
    """Holds one stream.

    Args:
        mode: when text may leave.
        hold_values: also hold back the end of a text that may be an unfinished value (a policy
            that blocks personal data wants no half of it to leave).
        partial: thresholds for unfinished text differ, so a last judgement must repeat it.

    Attributes:
        held_bytes: bytes of events that wait.
        unjudged: characters that no judgement has covered yet; in live mode their events are gone.
    """

    def __init__(
        self, mode: StreamMode, *, hold_values: bool = False, partial: bool = False
    ) -> None:
        self._mode = mode
        self._hold_values = hold_values
        self._partial = partial
        self._channels: dict[str, _Channel] = {}
        self._events: deque[HeldEvent] = deque()
        self._media: list[MediaPart] = []
        self._media_end = 0
        self._media_judged = 0
        self._said = 0
        self._ended = False
        self._cleared = False
        self.held_bytes = 0
        self.unjudged = 0

    def hold(
        self,
        raw: bytes,
        pieces: Iterable[tuple[str, str]],
        *,
        media: Sequence[MediaPart] = (),
        finished: tuple[int, ...] = (),
        closing: bool = False,
    ) -> None:
        """Takes an event: its bytes, its (channel, text) pieces, its media, the choices it ends.

        One that is `closing` leaves after the verdict on all before it, in every mode.

        Raises:
            StreamError: the stream has more channels than anybody needs.
        """
        ends: dict[str, int] = {}
        for name, text in pieces:
            channel = self._channels.setdefault(name, _Channel())
            channel.add(text)
            self.unjudged += len(text)
            self._said += len(text)
            ends[name] = channel.end
        self._leave(ends, finished)
        if len(self._channels) > _MOST_CHANNELS:
            raise StreamError("the stream has too many channels")
        self._media.extend(media)
        self._media_end += len(media)
        self._events.append(
            HeldEvent(raw, tuple(ends.items()), self._said, self._media_end, finished, closing)
        )
        self.held_bytes += len(raw)

    def _leave(self, speaking: Collection[str], finished: Iterable[int]) -> None:
        """A value ends where its speaker goes on to another channel, or ends.

        So the last word of some reasoning is not held for as long as the answer takes; half of a
        value, as far as one can tell, is held for a while. What frames the events ends with any
        event that does not go on with it; its numbers and names are no values that go on.
        """
        speakers = {_speaker(name) for name in speaking} | _FRAME
        over = {f"choices[{index}]" for index in finished}
        for name, channel in self._channels.items():
            speaker = _speaker(name)
            if speaker in over or (speaker in speakers and name not in speaking):
                frames = speaker in _FRAME and not _ANSWER.match(name)
                channel.leave(self._said - (_PATIENCE if frames else 0))

    def end(self) -> None:
        """Says that no event follows."""
        self._ended = True

    def question(self) -> Question | None:
        """What is to be judged before more can leave; None if there is nothing (yet)."""
        if self._mode is StreamMode.BUFFER and not self._ended:
            return None
        complete: list[TextPart] = []
        partial: list[TextPart] = []
        covers: list[tuple[str, int]] = []
        for name, channel in self._channels.items():
            if (channel.completed if self._ended else channel.judged) == channel.end:
                continue
            window = channel.window()
            early = self._partial and not self._ended and len(window) < WINDOW
            (partial if early else complete).append(TextPart(Role.ASSISTANT, window, name))
            covers.append((name, channel.end))
        if not covers and self._media_judged == self._media_end:
            return None
        media, self._media = tuple(self._media), []
        return Question(tuple(complete), tuple(partial), media, tuple(covers), self._media_end)

    def passed(self, question: Question) -> None:
        """Says that the question was judged and nothing in it is blocked."""
        self._cleared = True
        self._media_judged = question.media_end
        complete = {part.path for part in question.complete}
        for name, covered in question.covers:
            channel = self._channels[name]
            self.unjudged -= covered - channel.judged
            channel.settle(covered, complete=name in complete, hold_values=self._hold_values)

    def release(self) -> list[HeldEvent]:
        """The events that may leave now, in order; each is returned once."""
        released = []
        while self._events and self._may_leave(self._events[0]):
            event = self._events.popleft()
            self.held_bytes -= len(event.raw)
            released.append(event)
        return released

    def _may_leave(self, event: HeldEvent) -> bool:
        if self._ended and self._all_judged():
            return True
        if event.closing and self._partial:
            return False
        if self._mode is StreamMode.LIVE:
            return not event.closing or self._is_judged(event)
        if self._mode is StreamMode.BUFFER or not self._cleared:
            # A beginning without text waits for the first judgement, so that a block can still
            # be a plain 403.
            return False
        return self._media_judged >= event.media_end and all(
            self._channels[name].may_leave(end, self._said) for name, end in event.ends
        )

    def _is_judged(self, event: HeldEvent) -> bool:
        """Whether a judgement has covered all that was said up to an event.

        A question covers all that was said when it was asked, so what is not judged came later.
        """
        judged = self._said - self.unjudged
        return judged >= event.said and self._media_judged >= event.media_end

    def _all_judged(self) -> bool:
        return self._media_judged == self._media_end and all(
            channel.completed == channel.end for channel in self._channels.values()
        )
