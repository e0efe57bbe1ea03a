"""What a caller asks and what can go wrong, before any vendor's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from guardproxy.content import Passage
from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
    RequestError,
)
from guardproxy.moderation.mapping import Judged

Body: TypeAlias = Mapping[str, object]
"""A JSON object, as strictly read."""


class TokenCounter(Protocol):
    """The seam to the classifier's tokenizer."""

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, without what a model puts before and after it."""
        ...


class Answer(Protocol):
    """How a judged question becomes the body of a 200."""

    def __call__(
        self, judged: Sequence[Judged], *, answer_id: str, tokens: int
    ) -> dict[str, object]:
        """The body.

        Args:
            judged: one for each passage, in order.
            answer_id: 32 hex digits.
            tokens: of all passages; 0 unless the question counts them.
        """
        ...


class Deprecation(NamedTuple):
    """What to tell a caller who names a model that is on its way out.

    `since` is a date as in RFC 9745, `until` one as in RFC 8594.
    """

    since: str
    until: str
    advice: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be judged, and how the answer is put.

    `passages` are one for each result. A text that came in parts is also read joined and part by
    part: `joined` and `alone` have such readings with the number of their result, whose scores are
    the highest of all its readings. `unjudged` counts parts beside them that a text classifier
    cannot read (images, audio, files): the answer says nothing about those.
    """

    passages: tuple[Passage, ...]
    answer: Answer
    counts_tokens: bool = False
    unjudged: int = 0
    deprecated: Deprecation | None = None
    joined: tuple[tuple[int, Passage], ...] = ()
    alone: tuple[tuple[int, Passage], ...] = ()


def each_alone(index: int, pieces: Sequence[str], context: str = "") -> list[tuple[int, Passage]]:
    """`Question.alone` of a text in several pieces: a harmless one beside it must hide no other."""
    if len(pieces) < 2:
        return []
    return [(index, Passage(piece, context)) for piece in pieces if piece.strip()]


@dataclass(frozen=True, slots=True)
class InvalidPlace:
    """One place in a body that is not as its schema says: where, what, and the kind of mistake."""

    path: tuple[str | int, ...]
    message: str
    kind: str


class InvalidBodyError(RequestError):
    """A body that does not fit its schema.

    Args:
        places: every one that was found; at least one.
    """

    def __init__(self, places: Sequence[InvalidPlace]) -> None:
        first = places[0]
        param = ".".join(str(step) for step in first.path) or None
        super().__init__(first.message, status=422, code=first.kind, param=param)
        self.places = tuple(places)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer, in nobody's words yet.

    `retry` says whether the same request may succeed soon.
    """

    status: int
    message: str
    code: str
    param: str | None = None
    places: tuple[InvalidPlace, ...] = ()
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One vendor's call.

    `read` turns a body into a question, or raises `RequestError`. `error` turns a problem and an
    id into status and body, in the vendor's words. Both are pure.
    """

    vendor: str
    read: Callable[[Body], Question]
    error: Callable[[Problem, str], tuple[int, dict[str, object]]]


def refused(error: RequestError) -> Problem:
    """The caller's mistake."""
    places = error.places if isinstance(error, InvalidBodyError) else ()
    return Problem(error.status, error.message, error.code, error.param, places)


def overloaded() -> Problem:
    """As many bytes are held in this process as may be."""
    message = "Nothing was judged: too many bytes are held already; try again."
    return Problem(503, message, "overloaded", retry=True)


_REASONS: Mapping[type[ClassifierError], str] = {
    ClassifierDeadline: "judging took longer than it may; send less text at once",
    ClassifierOverloaded: "too many judgements are waiting; try again",
    ClassifierMissing: "there is no classifier that could judge this",
    ClassifierError: "the classifier failed",
}


def unanswered(error: ClassifierError) -> Problem:
    """Our failure. There is no answer then: a score is never made up."""
    message = next(text for kind, text in _REASONS.items() if isinstance(error, kind))
    return Problem(
        status=503,
        message=f"Nothing was judged: {message}.",
        code=f"classifier_{error.reason}",
        retry=isinstance(error, ClassifierOverloaded),
    )
