"""An event stream that an upstream calls something else: `text/plain`, or nothing at all.

Clients that asked for a stream read it as one whatever its label says, and put its pieces together.
"""

from __future__ import annotations

from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.dialects.base import Answered, Dialect
from guardproxy.policy.config import Limits

_BEGINNINGS = (b"data:", b"\xef\xbb\xbfdata:")
_LATER = (b"\ndata:", b"\rdata:")


def read_unlabelled(dialect: Dialect, body: bytes, limits: Limits) -> Answered:
    """What a whole answer says to those who read it as events; nothing if it holds none.

    Raises:
        StreamError: an event in it cannot be read safely.
    """
    texts: dict[str, list[str]] = {}
    media: list[MediaPart] = []
    if _holds_events(body):
        reader = dialect.open_stream(limits)
        decoder = reader.decoder()
        events = decoder.feed(body)
        last = decoder.finish()
        for event in events if last is None else [*events, last]:
            read = reader.read(event)
            media += read.media
            for piece in read.pieces:
                texts.setdefault(piece.channel, []).append(piece.text)
    parts = (TextPart(Role.ASSISTANT, "".join(said), name) for name, said in texts.items())
    return Answered(tuple(parts), tuple(media))


def _holds_events(body: bytes) -> bool:
    """Whether some line begins as an event's data does."""
    return body.startswith(_BEGINNINGS) or any(line in body for line in _LATER)
