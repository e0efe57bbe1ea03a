"""What a client hears: everything that it could put together from what it got."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence

from tests.deep import bodies
from tests.dialects.bodies import Json

_LINES = re.compile(r"\r\n|\r|\n")


def heard(song: str, body: bytes, pieces: Sequence[str] = ()) -> bool:
    """Whether the song is in a body for any client: as bytes, in a string, or over events.

    Args:
        song: as it was sung.
        body: what the client got.
        pieces: the song as it was cut over channels, if it was; all of them are the song.
    """
    texts = [body.decode(coding, "ignore") for coding in ("utf-8", "utf-16-le", "utf-16-be")]
    if body.startswith(b"\x1f\x8b"):
        texts.append(gzip.decompress(body).decode("utf-8", "ignore"))
    if any(song in text for text in texts):
        return True
    strings = list(_channels(texts[0]))
    if any(song in text for text in strings):
        return True
    return bool(pieces) and all(any(piece in text for text in strings) for piece in pieces)


def _channels(body: str) -> Iterator[str]:
    """Every string of a body, and what strings at one place of all events say together."""
    together: dict[str, str] = {}
    for source, value in _values(body):
        choices = value.get("choices") if isinstance(value, dict) else None
        index = source
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            index += str(choices[0].get("index"))
        for path, text in bodies.strings_in(value):
            yield text
            together[index + path] = together.get(index + path, "") + text
    for text in together.values():
        yield text
        # Pieces of JSON become JSON once they are joined.
        yield from (inner for _, inner in bodies.strings_in(text))


def _values(body: str) -> Iterator[tuple[str, Json]]:
    """What stands in a body, read as one value, as lines, and as events; and as which of them."""
    lines = _LINES.split(body)
    blocks: list[list[str]] = [[]]
    for line in lines:
        name, colon, value = line.partition(":")
        if not line:
            blocks.append([])
        elif name == "data":
            blocks[-1].append(value.removeprefix(" "))
        elif colon:
            yield "field", {name: value.removeprefix(" ")}
    yield from (("whole", value) for value in _json(body))
    yield from (("line", value) for line in lines for value in _json(line))
    for block in blocks:
        data = "\n".join(block)
        yield from (("event", value) for value in _json(data) or [[data]])


def _json(text: str) -> list[Json]:
    """The value of a text in a list, or nothing."""
    try:
        return [json.loads(text, strict=False)]
    except (ValueError, RecursionError):
        return []
