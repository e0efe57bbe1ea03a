"""What every reader of answers does: JSON or plain text, whole or event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from guardproxy.content import Role, TextPart
from guardproxy.dialects.base import Answered
from guardproxy.dialects.chat_said import Said
from guardproxy.dialects.leaves import JSON_BEGINNINGS, is_json, plain_text, unfolded
from guardproxy.dialects.seams import Seams
from guardproxy.errors import RequestError, StreamError, UpstreamError
from guardproxy.policy.config import Limits
from guardproxy.sse import taken_for_data
from guardproxy.strict_json import JsonValue, read, read_text

DONE = "[DONE]"
"""What OpenAI's streams end with, in place of JSON."""


def read_whole(body: bytes, limits: Limits, read_value: Callable[[JsonValue], Said]) -> Answered:
    """An answer's body; `read_value` collects what its JSON says.

    Raises:
        UpstreamError: it cannot be read safely.
    """
    if not body.strip():
        return Answered(())
    if not is_json(body):
        return Answered((TextPart(Role.ASSISTANT, plain_text(body), "$"),))
    try:
        # Log probabilities make many members; the size of the body bounds them.
        value = read(body, depth=limits.json_depth, members=limits.answer_bytes)
    except RequestError as error:
        raise UpstreamError(f"the answer cannot be read safely: {error.code}") from error
    said = read_value(value)
    return Answered(tuple(texts_of(said)), tuple(said.media))


def texts_of(said: Said) -> Iterator[TextPart]:
    """One text per channel: what continues a channel belongs to one text, wherever it stands.

    What stands in fields nobody knows is one text per place; JSON in a string is read as well.
    """
    spoken: dict[str, list[str]] = {}
    for piece in Seams().read(said.pieces):
        spoken.setdefault(piece.channel, []).append(piece.text)
    texts = {channel: "".join(pieces) for channel, pieces in spoken.items()}
    for place, piece in said.rest:
        texts[place] = f"{texts[place]}\n{piece.text}" if place in texts else piece.text
    for channel, text in texts.items():
        yield TextPart(Role.ASSISTANT, text, channel)
        if inside := unfolded(text):
            yield TextPart(Role.ASSISTANT, inside, channel)


def value_of(data: str, limits: Limits, said: Said) -> JsonValue:
    """The JSON of an event; None if it is none: then it is said as it stands.

    Raises:
        StreamError: it cannot be read safely.
    """
    if data.lstrip()[:1] not in JSON_BEGINNINGS:
        if any(True for _ in taken_for_data(data)):
            raise StreamError("an event of the stream holds data that some read line by line")
        # In lines and without: a word may end with its event, or go on in the next.
        said.say("raw", data + "\n")
        said.say("raw.joined", data)
        return None
    try:
        return read_text(data, depth=limits.json_depth, members=limits.event_bytes)
    except RequestError as error:
        raise StreamError("an event of the stream cannot be read safely") from error
