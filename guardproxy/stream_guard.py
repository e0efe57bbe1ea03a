"""What of a stream may leave, and when. Sans-IO: fed by hand, asked by hand.

A stream is a list of events; each event carries pieces of text, each piece continues a channel
(one choice's content, one tool call's arguments, ...). An event leaves, in order and as it came,
once a passing judgement has covered all of its pieces and those of every event before it.

    hold(raw, read)   an event came
    question()        what to judge next: of each channel, its new text and what stood before
    passed(question)  that was judged and may go
    waits(question)   its beginnings look bad, but not as bad as a beginning must: nothing leaves
    release()         the events that may leave now

A judgement sees a window of each channel: `stream_channel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.errors import StreamError
from guardproxy.stream_channel import FRAME, WINDOW, Channel
from guardproxy.verdict import StreamMode

_MOST_CHANNELS = 512
_MOST_WAITING = 1_000_000
"""Bytes of events behind a beginning that waits: with more it is judged like a whole text."""


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
    """What to judge: `complete` blocks at the policy's thresholds, `partial`, beginnings of texts
    that go on, at those for a beginning; between the two it waits for what follows.

    `covers` says up to which character of each channel the answer speaks; `media_end` up to
    which medium.
    """

    complete: tuple[TextPart, ...]
    partial: tuple[TextPart, ...]
    media: tuple[MediaPart, ...]
    covers: tuple[tuple[str, int], ...]
    media_end: int


class StreamGuard:
    """Holds one stream.

    Args:
        mode: when text may leave.
        hold_values: also hold back the end of a text that may be an unfinished value (a policy
            that blocks personal data wants no half of it to leave).
        partial: a beginning may be undecided: it is told apart from what is over.

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
        self._channels: dict[str, Channel] = {}
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
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = Channel.of(name)
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
        value, as far as one can tell, is held for a while. What frames an event ends with it.
        """
        speakers = {self._channels[name].speaker for name in speaking} | FRAME
        over = {f"choices[{index}]" for index in finished}
        for name, channel in self._channels.items():
            whose = channel.speaker
            elsewhere = whose in speakers and name not in speaking
            if elsewhere or channel.frames or whose in over:
                channel.leave(self._said)

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
            # What its speaker has left goes on no more, and a window that is full is no beginning.
            over = self._ended or channel.left is not None or self.held_bytes > _MOST_WAITING
            if (channel.passed if over else channel.judged) == channel.end:
                continue
            window = channel.window()
            early = self._partial and not over and len(window) < WINDOW
            (partial if early else complete).append(TextPart(Role.ASSISTANT, window, name))
            covers.append((name, channel.end))
        if not covers and self._media_judged == self._media_end:
            return None
        media, self._media = tuple(self._media), []
        return Question(tuple(complete), tuple(partial), media, tuple(covers), self._media_end)

    def passed(self, question: Question) -> None:
        """Says that the question was judged and nothing in it is blocked."""
        self._cleared = True
        self._judged(question, undecided=())

    def waits(self, question: Question) -> None:
        """Says that nothing in it is blocked yet, and that its beginnings are undecided."""
        self._judged(question, undecided={part.path for part in question.partial})

    def _judged(self, question: Question, *, undecided: Collection[str]) -> None:
        self._media_judged = question.media_end
        for name, covered in question.covers:
            channel = self._channels[name]
            self.unjudged -= covered - channel.judged
            if name in undecided:
                channel.wait(covered)
            else:
                channel.settle(covered, hold_values=self._hold_values)

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
        """Whether a judgement has covered all that was said up to an event, and decided.

        A question covers all that was said when it was asked, so what is not judged came later.
        """
        if any(channel.passed < channel.judged for channel in self._channels.values()):
            return False
        judged = self._said - self.unjudged
        return judged >= event.said and self._media_judged >= event.media_end

    def _all_judged(self) -> bool:
        return self._media_judged == self._media_end and all(
            channel.passed == channel.end for channel in self._channels.values()
        )
