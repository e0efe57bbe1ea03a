"""What becomes of each field: found by asking the dialect, not by believing its constants.

A field is asked about with three values: a sentence, one word, and a long run of base64. Which of
them the dialect hands out to be judged tells how it treats the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from guardproxy.content import TextPart
from guardproxy.dialects import chat_fields
from guardproxy.dialects.base import Dialect, Piece
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits

_SENTENCE = "the canary sings in the coal mine"
_WORD = "canary-1"
_BASE64 = "Y2FuYXJ5" * 64
_OPEN_KEY = "anything_else"


class Treatment(StrEnum):
    """What becomes of the text in a field."""

    JUDGED = "judged"
    STRUCTURE = "structure"
    """An id, a name or an enum value: judged unless it is one word of at most 128 characters."""
    MEDIUM = "medium"
    """The policy's `unscannable` decides; judged if it is text."""
    REFUSED = "refused"
    """The whole request is refused: nobody could judge what the field does."""
    CHECKED = "checked"
    """The request is refused unless the value is one of those that exist."""
    PASSED = "passed"
    """Goes on unread."""


class Side(StrEnum):
    """Which body a field stands in."""

    REQUEST = "request"
    ANSWER = "answer"
    EVENT = "event of a stream"


@dataclass(frozen=True, slots=True)
class Row:
    """A field, as `messages[].content[].text`; `*` is every other key."""

    side: Side
    field: str
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class Form:
    """A dialect, what must stand `around` a field for it to be read, and the `fields` it has.

    The fields are every string that a vendor documents, and `*` for all others.
    """

    dialect: Dialect
    around: Mapping[Side, Mapping[str, object]]
    fields: Mapping[Side, tuple[str, ...]]


def coverage(form: Form) -> Iterator[Row]:
    """The treatment of each field."""
    for side, names in form.fields.items():
        for name in names:
            yield Row(side, name, treatment(form, side, name))


def treatment(form: Form, side: Side, field: str) -> Treatment:
    """How a dialect treats a field: seen from what it makes of the three values."""
    try:
        sentence, word, base64 = (
            _is_judged(form, side, field, value) for value in (_SENTENCE, _WORD, _BASE64)
        )
    except RequestError as error:
        refused = error.code == "unsupported_field"
        return Treatment.REFUSED if refused else Treatment.CHECKED
    if sentence and word and base64:
        return Treatment.JUDGED
    if sentence and base64:
        return Treatment.STRUCTURE
    return Treatment.MEDIUM if sentence else Treatment.PASSED


def _is_judged(form: Form, side: Side, field: str, value: str) -> bool:
    body = json.dumps(body_with(form, side, field, value)).encode()
    return any(value in said.text for said in _READERS[side](form.dialect, body))


def _of_request(dialect: Dialect, body: bytes) -> Iterable[TextPart]:
    return dialect.read_request(body, Limits()).texts


def _of_answer(dialect: Dialect, body: bytes) -> Iterable[TextPart]:
    return dialect.read_answer(body, Limits()).texts


def _of_event(dialect: Dialect, body: bytes) -> Iterable[Piece]:
    reader = dialect.open_stream(Limits())
    decoder = reader.decoder()
    return [
        piece
        for event in decoder.feed(b"data: " + body + b"\n\n")
        for piece in reader.read(event).pieces
    ]


_READERS: Mapping[Side, Callable[[Dialect, bytes], Iterable[TextPart | Piece]]] = {
    Side.REQUEST: _of_request,
    Side.ANSWER: _of_answer,
    Side.EVENT: _of_event,
}


def body_with(form: Form, side: Side, field: str, value: str) -> dict[str, object]:
    """A small body that holds `value` in `field`, with what must stand around it."""
    steps = re.findall(r"[^.\[\]]+|\[\]", field)
    merged = _merged(form.around[side], _nested(steps, value))
    assert isinstance(merged, dict)  # noqa: S101 - both are objects
    return merged


def _nested(steps: list[str], value: object, parent: str = "") -> object:
    if not steps:
        return value
    first, *rest = steps
    if first == "[]":
        element = _nested(rest, value)
        return [_typed(element, rest[0]) if parent == "content" and rest else element]
    return {_OPEN_KEY if first == "*" else first: _nested(rest, value, first)}


def _typed(part: object, key: str) -> object:
    """A content part names its type; the key that holds its content is called the same."""
    kinds = chat_fields.PART_TEXT | chat_fields.PART_MEDIA.keys()
    return {"type": key if key in kinds else "text"} | part if isinstance(part, dict) else part


def _merged(base: object, over: object) -> object:
    if isinstance(base, Mapping) and isinstance(over, dict):
        return dict(base) | {key: _merged(base.get(key), member) for key, member in over.items()}
    if isinstance(base, list) and isinstance(over, list):
        return [_merged(base[0], over[0])]
    return over
