"""Bytes -> server-sent events, sans-IO.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (9.2.5, 9.2.6), with four
differences, all because we parse to look and pass the bytes on:

- Every byte belongs to exactly one event, so `b"".join(raws)` is the input. A block that a browser
  would not dispatch (only comments, only a blank line, no final blank line) is an event here.
- What a browser ignores or overwrites stands in `extra`: text can hide there.
- A NUL byte ends the stream: no API sends one, and a client that guesses would read UTF-16.
- So does a line that is no field and is data to a lenient reader, who would put together what
  nobody judged as one text: see `taken_for_data`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guardproxy.errors import StreamError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Some send a last `[DONE]` without a field; it says nothing.
_TAKEN_FOR_DATA = re.compile(r"[\s\ufeff]*+(?:data\s*:|(?=[{\[])(?!\[DONE\]))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One block of an event stream.

    Attributes:
        data: the data lines joined by a line feed; None if the block has none.
        event: the event field, empty if there is none.
        raw: exactly the bytes of the block with its final blank line. If that ended in a CR whose
            LF came with a later read, the LF is the first byte of the next event's `raw`.
        extra: every other text of the block in order: comments, values of `id` and `retry`,
            whole lines of unknown fields, values of `event` that a later `event` replaced.
        ids: those of them that stand in fields the specification knows.
    """

    data: str | None
    event: str
    raw: bytes
    extra: tuple[str, ...]
    ids: tuple[str, ...] = ()


def taken_for_data(text: str) -> Iterator[str]:
    """The values of the lines that some reader takes for data.

    That is one who trims lines, does not mind case, knows more line ends than the specification
    (as `str.splitlines` does), or reads whatever begins like JSON.
    """
    for line in text.splitlines():
        if found := _TAKEN_FOR_DATA.match(line):
            yield line[found.end() :]


class EventDecoder:
    """Takes bytes as they come and gives events as they end, in time linear in the bytes.

    Cutting the bytes differently changes nothing but whose `raw` a late LF is in.

    Args:
        max_event_bytes: largest block, its final line end counted as one byte.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._failure: StreamError | None = None
        self._at_start = True
        self._after_cr = False
        self._block = bytearray()
        self._block_start = 0  # 1 while the block begins with the LF of the block before
        self._line_start = 0
        self._data: list[str] = []
        self._event: str | None = None
        self._extra: list[str] = []
        self._ids: list[str] = []

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that end in this chunk, in order.

        Raises:
            StreamError: bytes are not UTF-8 or NUL, an event is too large, or a line that is no
                field could be taken for data. Events that ended before are still given first: the
                call after raises then, as does every later one.
        """
        if self._failure is not None:
            raise self._failure
        events: list[ServerSentEvent] = []
        try:
            self._take(chunk, events)
        except StreamError as error:
            self._failure = error
            self._block.clear()
            if not events:
                raise
        return events

    def finish(self) -> ServerSentEvent | None:
        """What came after the last blank line, as an event; None if nothing did.

        Raises:
            StreamError: as `feed`.
        """
        if self._failure is not None:
            raise self._failure
        if not self._block:
            return None
        if len(self._block) > self._line_start:
            self._read_line(bytes(self._block[self._line_start :]))
        return self._end_block()

    def _take(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        if not chunk:
            return
        late_lf = self._after_cr and chunk.startswith(b"\n")
        self._after_cr = chunk.endswith(b"\r")
        if late_lf:
            self._take_late_lf()
            chunk = chunk[1:]
        # Of bytes, unlike str, `splitlines` takes CR, LF and CRLF for line ends and nothing else.
        for piece in chunk.splitlines(keepends=True):
            self._block += piece
            line = piece.rstrip(b"\r\n")
            ended = len(line) < len(piece)
            self._check_size(len(self._block) - (len(piece) - len(line) == 2))
            if not ended:
                return
            if len(self._block) - len(piece) > self._line_start:
                line = bytes(self._block[self._line_start :]).rstrip(b"\r\n")
            if self._read_line(line):
                self._line_start = len(self._block)
            else:
                events.append(self._end_block())

    def _take_late_lf(self) -> None:
        if not self._block:
            self._block_start = 1
        self._block += b"\n"
        self._line_start = len(self._block)

    def _check_size(self, end: int) -> None:
        if end - self._block_start > self._max_event_bytes:
            raise StreamError(
                f"the upstream sent an event of more than {self._max_event_bytes} bytes"
            )

    def _read_line(self, line: bytes) -> bool:
        """Take a line without its end; False if it is the blank one that ends a block."""
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            return False
        if b"\0" in line:
            raise StreamError("the upstream sent an event with a NUL byte")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            # `from None`: the codec's error quotes the bytes.
            raise StreamError("the upstream sent an event that is not UTF-8") from None
        self._read_field(text)
        return True

    def _read_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name != "data" and any(True for _ in taken_for_data(line)):
            raise StreamError("the upstream sent data in a line that is no field of an event")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                if self._event is not None:
                    self._say_id(self._event)
                self._event = value
            case "id" | "retry":
                self._say_id(value)
            case "":
                self._extra.append(value)
            case _:
                self._extra.append(line)

    def _say_id(self, value: str) -> None:
        self._extra.append(value)
        self._ids.append(value)

    def _end_block(self) -> ServerSentEvent:
        event = ServerSentEvent(
            data="\n".join(self._data) if self._data else None,
            event=self._event or "",
            raw=bytes(self._block),
            extra=tuple(self._extra),
            ids=tuple(self._ids),
        )
        self._block.clear()
        self._block_start = self._line_start = 0
        self._data.clear()
        self._event = None
        self._extra.clear()
        self._ids.clear()
        return event
