"""Bytes -> lines of JSON (application/x-ndjson), sans-IO; each line is an event like SSE's.

Source: https://github.com/ndjson/ndjson-spec, with one difference because we parse to look and
pass the bytes on: every byte belongs to exactly one event, so `b"".join(raws)` is the input.
"""

from __future__ import annotations

from guardproxy.errors import StreamError
from guardproxy.sse import ServerSentEvent


class LineDecoder:
    """Takes bytes as they come and gives lines as they end, in time linear in the bytes.

    A line ends in LF and in nothing else. Blank lines are events without data.

    Args:
        max_line_bytes: longest line, without its end.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._failure: StreamError | None = None
        self._line = bytearray()

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The lines that end in this chunk, in order.

        Raises:
            StreamError: a line is too long or not UTF-8. Lines that ended before are still given
                first: the call after raises then, as does every later one.
        """
        if self._failure is not None:
            raise self._failure
        events: list[ServerSentEvent] = []
        try:
            self._take(chunk, events)
        except StreamError as error:
            self._failure = error
            self._line.clear()
            if not events:
                raise
        return events

    def finish(self) -> ServerSentEvent | None:
        """What came after the last line end, as an event; None if nothing did.

        Raises:
            StreamError: as `feed`.
        """
        if self._failure is not None:
            raise self._failure
        return self._end() if self._line else None

    def _take(self, chunk: bytes, events: list[ServerSentEvent]) -> None:
        start = 0
        while start < len(chunk):
            end = chunk.find(b"\n", start) + 1
            self._line += chunk[start : end or len(chunk)]
            if len(self._line) - bool(end) > self._max_line_bytes:
                raise StreamError(
                    f"the upstream sent a line of more than {self._max_line_bytes} bytes"
                )
            if not end:
                return
            events.append(self._end())
            start = end

    def _end(self) -> ServerSentEvent:
        raw = bytes(self._line)
        self._line.clear()
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            # `from None`: the codec's error quotes the bytes.
            raise StreamError("the upstream sent a line that is not UTF-8") from None
        return ServerSentEvent(data=text if text.strip() else None, event="", raw=raw, extra=())
