"""What becomes of each field: found by asking the dialect, not by believing its constants.

A field is asked about with three values: a sentence, one word, and a long run of base64. Which of
them the dialect hands out to be judged, or counts as a medium, tells how it treats the field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from guardproxy.content import MediaPart
from guardproxy.dialects.base import Dialect
from guardproxy.errors import RequestError
from guardproxy.policy.config import Limits

_SENTENCE = "the canary sings in the coal mine"
_WORD = "canary-1"
_BASE64 = "Y2FuYXJ5" * 64
_OPEN_KEY = "anything_else"
_STEP = re.compile(r"[^.\[\]()]+|\[[^\]]*\]|\([^)]*\)")
_NEVER = ("unsupported_field", "extra_forbidden")
"""Codes of fields that are refused whatever they say."""


class Treatment(StrEnum):
    """What becomes of the text in a field."""

    JUDGED = "judged"
    STRUCTURE = "structure"
    """An id, a name or an enum value: judged unless it is one word of at most 128 characters."""
    MEDIUM = "medium"
    """The policy's `unscannable` decides; judged if it is text."""
    SEALED = "sealed"
    """Only the upstream can open it, or it is a vector: judged unless it looks like base64."""
    STORED = "stored"
    """Names text that is stored upstream: refused unless the policy allows it."""
    POLICY = "policy"
    """The caller's own guardrails: read strictly, and cut out before the request goes on."""
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
    """A field, as `messages[].content[image].source(url).url`.

    `[image]` is an element, `(url)` an object, whose `type` is that. `*` is every other key, with
    all that is below it; `**.` stands for any steps that lead there, or none.
    """

    side: Side
    field: str
    treatment: Treatment


@dataclass(frozen=True, slots=True)
class Form:
    """A dialect, what must stand `around` a field for it to be read, and the `fields` it has.

    The fields are every string that a vendor documents, and `*` for all others. `plain` is the
    type of an element where its field names none, by the list it is in; `beside` is what an object
    must have besides, by its type.
    """

    dialect: Dialect
    around: Mapping[Side, Mapping[str, object]]
    fields: Mapping[Side, tuple[str, ...]]
    plain: Mapping[str, str] = field(default_factory=lambda: {"content": "text"})
    beside: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def coverage(form: Form) -> Iterator[Row]:
    """The treatment of each field."""
    for side, names in form.fields.items():
        for name in names:
            yield Row(side, name, treatment(form, side, name))


def treatment(form: Form, side: Side, field: str) -> Treatment:
    """How a dialect treats a field of a form."""
    return treated(form.dialect, side, lambda value: body_with(form, side, field, value))


def treated(dialect: Dialect, side: Side, body_of: Callable[[str], object]) -> Treatment:
    """How a dialect treats the place where a body holds a value.

    Seen from what it makes of the three values.
    """
    try:
        sentence, word, base64 = (
            _heard(dialect, side, body_of, value) for value in (_SENTENCE, _WORD, _BASE64)
        )
    except RequestError as error:
        return Treatment.REFUSED if error.code in _NEVER else Treatment.CHECKED
    if not sentence.judged:
        return Treatment.POLICY if sentence.policy else Treatment.PASSED
    if not base64.judged:
        return Treatment.MEDIUM if base64.medium else Treatment.SEALED
    if word.judged:
        return Treatment.JUDGED
    return Treatment.STORED if word.stored else Treatment.STRUCTURE


@dataclass(frozen=True, slots=True)
class _Found:
    """What a dialect found in a body."""

    texts: Iterable[str]
    media: Iterable[MediaPart]
    stored: bool = False
    guardrails: str = ""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a dialect made of one value."""

    judged: bool
    medium: bool
    stored: bool
    policy: bool


def _heard(dialect: Dialect, side: Side, body_of: Callable[[str], object], value: str) -> _Heard:
    found = _READERS[side](dialect, json.dumps(body_of(value)).encode())
    return _Heard(
        judged=any(value in text for text in found.texts),
        # The part that holds the value counts its characters.
        medium=any(part.size >= len(value) for part in found.media),
        stored=found.stored,
        policy=value in found.guardrails,
    )


def _in_request(dialect: Dialect, body: bytes) -> _Found:
    asked = dialect.read_request(body, Limits())
    texts = [part.text for part in asked.texts]
    return _Found(texts, asked.media, asked.stored is not None, json.dumps(asked.guardrails))


def _in_answer(dialect: Dialect, body: bytes) -> _Found:
    answered = dialect.read_answer(body, Limits())
    return _Found([part.text for part in answered.texts], answered.media)


def _in_event(dialect: Dialect, body: bytes) -> _Found:
    reader = dialect.open_stream(Limits())
    lines = dialect.is_stream("application/x-ndjson")
    events = reader.decoder().feed(body + b"\n" if lines else b"data: " + body + b"\n\n")
    read = [reader.read(event) for event in events]
    texts = [piece.text for each in read for piece in each.pieces]
    return _Found(texts, [part for each in read for part in each.media])


_READERS: Mapping[Side, Callable[[Dialect, bytes], _Found]] = {
    Side.REQUEST: _in_request,
    Side.ANSWER: _in_answer,
    Side.EVENT: _in_event,
}


def body_with(form: Form, side: Side, field: str, value: str) -> object:
    """A small body that holds `value` in `field`, with what must stand around it."""
    steps = _STEP.findall(field.replace("**.", ""))
    return _merged(form.around[side], _nested(form, steps, value))


def _nested(form: Form, steps: list[str], value: object, parent: str = "") -> object:
    if not steps:
        return value
    first, *rest = steps
    if first[0] not in "[(":
        return {_OPEN_KEY if first == "*" else first: _nested(form, rest, value, first)}
    member = _nested(form, rest, value)
    kind = first[1:-1] or form.plain.get(parent)
    if kind is not None and isinstance(member, dict):
        member = {"type": kind, **form.beside.get(kind, {})} | member
    return [member] if first[0] == "[" else member


def _merged(base: object, over: object) -> object:
    if isinstance(base, Mapping) and isinstance(over, dict):
        return dict(base) | {key: _merged(base.get(key), member) for key, member in over.items()}
    if isinstance(base, list) and isinstance(over, list):
        return [_merged(base[0], over[0])]
    return over
