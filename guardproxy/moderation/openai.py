"""OpenAI `POST /v1/moderations`, and Meridian's, which is the same call.

Meridian serves one model, `text-moderation-stable`, on the same path with the same body, and its
answer has the keys of OpenAI's model of that name: nothing tells the two apart, so nothing does
here. Sources: api-contracts 3.1, 3.4; the types of the Python package `openai`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypeAlias

from guardproxy.content import MediaKind, Passage, Role, TextPart
from guardproxy.dialects.leaves import embedded_media, is_address
from guardproxy.errors import RequestError
from guardproxy.moderation.mapping import OPENAI_OMNI, OPENAI_TEXT, Judged, VendorKey, read_as
from guardproxy.moderation.question import Body, Problem, Question, each_alone
from guardproxy.policy.scope import around_cuts
from guardproxy.strict_json import is_plain_key

DEFAULT_MODEL = "omni-moderation-latest"

ANSWERS_AS: Mapping[str, str] = {
    "omni-moderation-latest": "omni-moderation-latest",
    "omni-moderation-2024-09-26": "omni-moderation-2024-09-26",
    "text-moderation-latest": "text-moderation-007",
    "text-moderation-stable": "text-moderation-007",
}
"""Model name in a request -> model name in the answer."""

MAX_INPUTS = 256
"""Strings in one request: ours, the vendor publishes none. One more is refused, not cut."""


def read(body: Body) -> Question:
    """A request as a question; an array of parts is one input.

    Raises:
        RequestError: the body is not as the vendor documents it, or holds nothing to judge.
    """
    for key in body:
        if key not in ("input", "model"):
            # A key may be anybody's text; shown is what looks like a name.
            place = key if is_plain_key(key) else "body"
            raise _invalid("unknown_parameter", "Only 'input' and 'model' are parameters.", place)
    asked = body.get("model", DEFAULT_MODEL)
    if not isinstance(asked, str):
        raise _invalid("invalid_type", "'model' must be a string.", "model")
    if asked not in ANSWERS_AS:
        known = ", ".join(ANSWERS_AS)
        raise _invalid("model_not_found", f"There is no such model; known are {known}.", "model")
    texts, images, joined, alone = _inputs(body)
    if images and asked.startswith("text-"):
        raise _invalid("invalid_value", f"{asked} reads text only, not images.", "input")
    return Question(
        passages=tuple(Passage(text) for text in texts),
        answer=partial(_answer, ANSWERS_AS[asked]),
        unjudged=images,
        joined=joined,
        alone=alone,
    )


_Readings: TypeAlias = tuple[tuple[int, Passage], ...]
_Read: TypeAlias = tuple[list[str], int, _Readings, _Readings]


def _inputs(body: Body) -> _Read:
    """The texts of a request, how many images stand beside them, `Question.joined` and `.alone`."""
    if "input" not in body:
        raise _invalid("missing_required_parameter", "'input' is missing.", "input")
    value = body["input"]
    if isinstance(value, str):
        return [value], 0, (), ()
    if not isinstance(value, list) or not value:
        raise _invalid(
            "invalid_type",
            "'input' must be a string or a non-empty array of strings or parts.",
            "input",
        )
    if len(value) > MAX_INPUTS:
        message = f"'input' has {len(value)} elements; at most {MAX_INPUTS} are judged at once."
        raise _invalid("array_above_max_length", message, "input")
    if isinstance(value[0], dict):
        return _parts(value)
    return [_text(item, f"input[{index}]") for index, item in enumerate(value)], 0, (), ()


def _parts(parts: Sequence[object]) -> _Read:
    texts = [
        TextPart(Role.USER, text, f"messages[0].content[{index}]")
        for index, part in enumerate(parts)
        if (text := _part(part, f"input[{index}]")) is not None
    ]
    images = len(parts) - len(texts)
    whole = "\n".join(part.text for part in texts)
    if images and not whole.strip():
        raise _invalid(
            "image_not_supported",
            "This classifier reads text only and there is no text: nothing would be judged.",
            "input",
        )
    joined = tuple((0, Passage(part.text)) for part in around_cuts(texts))
    return [whole], images, joined, tuple(each_alone(0, [part.text for part in texts]))


def _part(part: object, path: str) -> str | None:
    """The text of a part; None for an image, which is never fetched."""
    # No other keys: they would hold what nobody reads.
    match part:
        case {"type": "text", "text": text, **beside} if not beside:
            return _text(text, f"{path}.text")
        case {"type": "image_url", "image_url": {"url": str(url), **rest}, **beside} if not (
            rest or beside
        ) and _is_image(url):
            return None
        case _:
            raise _invalid(
                "invalid_value",
                'A part must be {"type": "text", "text": …} or '
                '{"type": "image_url", "image_url": {"url": …}}.',
                path,
            )


def _is_image(url: str) -> bool:
    """An address, or an image in a `data:` URL; all else may be a text."""
    return is_address(url) or [kind for kind, _ in embedded_media(url)] == [MediaKind.IMAGE]


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise _invalid("invalid_type", "Must be a string.", path)
    return value


def _invalid(code: str, message: str, param: str) -> RequestError:
    return RequestError(message, code=code, param=param)


def _answer(
    model: str, judged: Sequence[Judged], *, answer_id: str, tokens: int
) -> dict[str, object]:
    del tokens  # the vendor's answer has no usage
    read_result = _omni_result if model.startswith("omni-") else text_result
    return {
        "id": f"modr-{answer_id}",
        "model": model,
        "results": [read_result(item) for item in judged],
    }


def text_result(judged: Judged) -> dict[str, object]:
    """One result in the 11 keys of `text-moderation-*`."""
    return _result(OPENAI_TEXT, judged)


def _omni_result(judged: Judged) -> dict[str, object]:
    # Never `image`: none was looked at.
    applied: dict[str, object] = {row.key: ["text"] for row in OPENAI_OMNI}
    return _result(OPENAI_OMNI, judged) | {"category_applied_input_types": applied}


def _result(keys: Sequence[VendorKey], judged: Judged) -> dict[str, object]:
    # `flagged` is always there: a client reads its absence as "not flagged".
    scores = read_as(keys, judged)
    return {
        "flagged": any(score.flagged for score in scores.values()),
        "categories": {key: score.flagged for key, score in scores.items()},
        "category_scores": {key: score.score for key, score in scores.items()},
    }


def error(problem: Problem, answer_id: str) -> tuple[int, dict[str, object]]:
    """Status and body. All four keys are required by the vendor's schema."""
    del answer_id
    kind = "server_error" if problem.status >= 500 else "invalid_request_error"
    return problem.status, {
        "error": {
            "message": problem.message,
            "type": kind,
            "param": problem.param,
            "code": problem.code,
        }
    }
