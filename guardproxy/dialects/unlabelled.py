"""An event stream that an upstream calls something else: `text/plain`, or nothing at all.

Clients that asked for a stream read it as one whatever its label says, and put its pieces together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.dialects.base import Answered, Dialect, EventRead
from guardproxy.dialects.leaves import is_json
from guardproxy.dialects.raw_json import RawStream
from guardproxy.errors import StreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import ServerSentEvent, taken_for_data

_BEGINNINGS = (b"data:", b"\xef\xbb\xbfdata:")
_LATER = (b"\ndata:", b"\rdata:")


def read_unlabelled(dialect: Dialect, body: bytes, limits: Limits) -> Answered:
    """What a whole answer says to those who read it as events; nothing if it holds none.

    Raises:
        StreamError: an event in it cannot be read safely.
    """
    texts: dict[str, list[str]] = {}
    media: list[MediaPart] = []
    for read in _events(dialect, body, limits):
        media += read.media
        for piece in read.pieces:
            texts.setdefault(piece.channel, []).append(piece.text)
    parts = (TextPart(Role.ASSISTANT, "".join(said), name) for name, said in texts.items())
    return Answered(tuple(parts), tuple(media))


def _events(dialect: Dialect, body: bytes, limits: Limits) -> Iterator[EventRead]:
    if _holds_events(body):
        reader = dialect.open_stream(limits)
        decoder = reader.decoder()
        events = decoder.feed(body)
        last = decoder.finish()
        for event in events if last is None else [*events, last]:
            yield reader.read(event)
    elif not is_json(body):
        yield from _lenient_events(body, limits)


def _lenient_events(body: bytes, limits: Limits) -> Iterator[EventRead]:
    """Lines of JSON in what is else a plain text or a page, whose own braces are none."""
    reader = RawStream(limits)
    for value in taken_for_data(body.decode("utf-8", "replace")):
        try:
            yield reader.read(ServerSentEvent(value, "", b"", ()))
        except StreamError:
            if _is_readable(value):
                raise


def _is_readable(value: str) -> bool:
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _holds_events(body: bytes) -> bool:
    """Whether some line begins as an event's data does."""
    return body.startswith(_BEGINNINGS) or any(line in body for line in _LATER)
