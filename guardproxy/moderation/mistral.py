"""Mistral `POST /v1/moderations` and `POST /v1/chat/moderations`.

A conversation is judged by its last message, whoever wrote it, with the turns before as context.
`mistral-moderation-latest` answers in the nine keys of 2411: the vendor's quickstart says that
`latest` still means that model, and a client that reads nine keys would miss the eleven silently.
There is no `flagged` in this vendor's results. Sources: api-contracts 1.4, 2.1 to 2.5, 7.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from guardproxy.content import Passage
from guardproxy.errors import RequestError
from guardproxy.guard import SPEAKERS, turn
from guardproxy.moderation.mapping import Judged
from guardproxy.moderation.mistral_messages import Message, Strict
from guardproxy.moderation.question import (
    Body,
    Deprecation,
    InvalidBodyError,
    InvalidPlace,
    Problem,
    Question,
    each_alone,
)
from guardproxy.policy.scope import around_cuts
from guardproxy.policy.taxonomy import V1_DEPRECATED_SINCE, V1_RETIRED_ON

PREFIX = "mistral-moderation-"

VINTAGES: Mapping[str, int] = {
    "mistral-moderation-2411": 1,
    "mistral-moderation-2603": 2,
    "mistral-moderation-latest": 1,
}
"""Model name -> vintage of its keys: 1 has nine, 2 has eleven."""

DEPRECATED = Deprecation(
    since=V1_DEPRECATED_SINCE,
    until=V1_RETIRED_ON,
    advice="these nine keys are deprecated: use mistral-moderation-2603, which has dangerous and "
    "criminal in place of dangerous_and_criminal_content",
)
"""Of the keys of 2411, which are those of v1 (api-contracts 1.4)."""

MAX_INPUTS = 256
"""Texts or conversations in one request: ours, the vendor publishes none."""

MAX_MESSAGES = 2_048
"""Messages in one request, in all its conversations."""

_MOST_PLACES = 16
"""Mistakes that one answer lists; the rest would be more of the same."""

_Inputs = Field(min_length=1, max_length=MAX_INPUTS)


class _TextRequest(Strict):
    """`ClassificationRequest`, with `input` made a list."""

    model: str
    input: Annotated[list[str], _Inputs]
    metadata: dict[str, object] | None = None


class _ChatRequest(Strict):
    """`ChatModerationRequest`, with `input` made a list of conversations."""

    model: str
    input: Annotated[list[Annotated[list[Message], Field(min_length=1)]], _Inputs]


_Request = TypeVar("_Request", bound=Strict)


def read_texts(body: Body) -> Question:
    """`/v1/moderations`: one result for each string.

    Raises:
        RequestError: the body is not as the vendor's schema says, or the model is unknown.
    """
    request = _validate(_TextRequest, body, single=isinstance(body.get("input"), str))
    return _question(request.model, tuple(Passage(text) for text in request.input))


def read_conversations(body: Body) -> Question:
    """`/v1/chat/moderations`: one result for each conversation.

    Raises:
        RequestError: as `read_texts`; or a last message holds only what cannot be read.
    """
    value = body.get("input")
    nested = isinstance(value, list) and any(isinstance(item, list) for item in value)
    request = _validate(_ChatRequest, body, single=isinstance(value, list) and not nested)
    if (count := sum(map(len, request.input))) > MAX_MESSAGES:
        message = f"{count} messages; at most {MAX_MESSAGES} are read at once"
        raise InvalidBodyError([InvalidPlace(("input",), message, "too_long")])
    passages = tuple(_passage(index, turns) for index, turns in enumerate(request.input))
    unjudged = sum(turns[-1].unreadable for turns in request.input)
    joined = tuple(
        (index, Passage(part.text))
        for index, turns in enumerate(request.input)
        for part in around_cuts(turns[-1].parts)
    )
    alone = tuple(
        reading
        for index, turns in enumerate(request.input)
        for reading in each_alone(index, turns[-1].pieces, passages[index].context)
    )
    return _question(request.model, passages, unjudged, joined, alone)


def _validate(model: type[_Request], body: Body, *, single: bool) -> _Request:
    """A body as its schema; a `single` input is first put into a list of one."""
    listed = {**body, "input": [body["input"]]} if single else body
    try:
        return model.model_validate(listed)
    except ValidationError as error:
        places = error.errors(include_url=False, include_input=False)[:_MOST_PLACES]
        raise InvalidBodyError(
            [
                InvalidPlace(_place(place["loc"], single=single), _message(place), place["type"])
                for place in places
            ]
        ) from None


def _place(loc: tuple[str | int, ...], *, single: bool) -> tuple[str | int, ...]:
    """A place in the body as it came: without the list that we put around a single input."""
    if single and loc[:2] == ("input", 0):
        return (loc[0], *loc[2:])
    return loc


def _message(place: Mapping[str, object]) -> str:
    if place["type"] == "union_tag_invalid":  # pydantic's words repeat what the caller sent
        return "Input is of an unknown type"
    return str(place["msg"])


def _passage(index: int, turns: Sequence[Message]) -> Passage:
    *before, last = turns
    text = last.text
    if last.unreadable and not last.is_spoken:
        message = "The last message holds nothing that a text classifier can read"
        raise InvalidBodyError([InvalidPlace(("input", index), message, "unreadable")])
    if last.tool_calls:
        # What is handed to a tool means what it says: a harmless question before it would hide a
        # threat among arguments, a threat before it would taint harmless ones.
        return Passage(text)
    said = (each for each in before if each.role in SPEAKERS)
    return Passage(text, "".join(turn(each.role, each.text) for each in said))


def _question(
    model: str,
    passages: tuple[Passage, ...],
    unjudged: int = 0,
    joined: tuple[tuple[int, Passage], ...] = (),
    alone: tuple[tuple[int, Passage], ...] = (),
) -> Question:
    if model not in VINTAGES:
        known = ", ".join(VINTAGES)
        raise RequestError(f"Invalid model; known are {known}", code="invalid_model", param="model")
    return Question(
        passages=passages,
        answer=partial(_answer, model),
        counts_tokens=True,
        unjudged=unjudged,
        joined=joined,
        alone=alone,
        deprecated=DEPRECATED if VINTAGES[model] == 1 else None,
    )


def _answer(
    model: str, judged: Sequence[Judged], *, answer_id: str, tokens: int
) -> dict[str, object]:
    return {
        "id": answer_id,
        "usage": {
            "prompt_audio_seconds": None,
            "prompt_tokens": tokens,
            "total_tokens": tokens,
            "completion_tokens": 0,
            "request_count": 1,
            "prompt_token_details": None,
        },
        "model": model,
        "results": [_result(VINTAGES[model], item) for item in judged],
    }


def _result(vintage: int, judged: Judged) -> dict[str, object]:
    decisions = judged.v1 if vintage == 1 else judged.v2
    return {
        "categories": {key: decision.violated for key, decision in decisions.items()},
        "category_scores": {key: decision.score for key, decision in decisions.items()},
    }


def error(problem: Problem, answer_id: str) -> tuple[int, dict[str, object]]:
    """Status and body.

    A body we cannot take is a 422 with a list of places, the one error the vendor's schema has; its
    client fails to read a 422 whose `detail` is no list.
    """
    del answer_id
    if problem.status == 422 or (problem.status == 400 and problem.code != "invalid_model"):
        places = problem.places or (InvalidPlace((), problem.message, problem.code),)
        return 422, {
            "detail": [
                {"loc": ["body", *place.path], "msg": place.message, "type": place.kind}
                for place in places
            ]
        }
    ours = problem.status >= 500
    return problem.status, {
        "object": "error",
        "message": problem.message,
        "type": "service_unavailable" if ours else "invalid_request_error",
        "param": problem.param,
        "code": problem.code,
    }
