"""Which vendor's call it is: by path, then by what is in the body (api-contracts 0.2).

| path | body | vendor |
| --- | --- | --- |
| `/v1/chat/moderations` | any | Mistral |
| `/v1/moderate` | `content` and no `input` | moderationapi.com, refused |
| `/v1/moderate` | any other | Assisters |
| `/v1/moderations` | `model` is `mistral-moderation-…` | Mistral |
| `/v1/moderations` | `model` is one of Assisters' | Assisters |
| `/v1/moderations` | any other, or no model | OpenAI, which is Meridian's too |

A body that cannot be read has no model: its error is in the words of the path's first vendor, on
`/v1/moderate` in those of both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from guardproxy import strict_json
from guardproxy.dialects.base import Fault
from guardproxy.errors import RequestError
from guardproxy.moderation import assisters, mistral, moderation_api, openai
from guardproxy.moderation.question import Body, Problem, Shape
from guardproxy.policy.config import Limits

OPENAI = Shape("openai", openai.read, openai.error)
ASSISTERS = Shape("assisters", assisters.read, assisters.error)
MISTRAL = Shape("mistral", mistral.read_texts, mistral.error)
MISTRAL_CHAT = Shape("mistral", mistral.read_conversations, mistral.error)
MODERATION_API = Shape("moderationapi.com", moderation_api.read, moderation_api.error)


def _in_both_words(problem: Problem, answer_id: str) -> tuple[int, dict[str, object]]:
    """An error as the clients of both vendors of `/v1/moderate` read it: their keys differ."""
    status, body = assisters.error(problem, answer_id)
    return status, moderation_api.error(problem, answer_id)[1] | body


EITHER = Shape("assisters", assisters.read, _in_both_words)
"""Of `/v1/moderate`, until the body has told whose call it is."""

PATHS: Mapping[str, Shape] = {
    "/v1/moderations": OPENAI,
    "/v1/chat/moderations": MISTRAL_CHAT,
    "/v1/moderate": EITHER,
}
"""Every path we answer, with the vendor that speaks when nothing tells which one is meant."""


def _put(shape: Shape, fault: Fault) -> bytes:
    _, body = shape.error(Problem(fault.status, fault.message, fault.code, fault.param), "")
    return json.dumps(body).encode()


ERROR_WORDS: Mapping[str, Callable[[Fault], bytes]] = MappingProxyType(
    {path: partial(_put, shape) for path, shape in PATHS.items()}
)
"""Path -> how a fault is put that stands before the body is read."""


def shape_of(path: str, body: Body) -> Shape:
    """The vendor whose call this is.

    Args:
        path: one of `PATHS`.
        body: as read.
    """
    if path == "/v1/moderate":
        return MODERATION_API if "content" in body and "input" not in body else ASSISTERS
    if path == "/v1/moderations":
        return _by_model(body.get("model"))
    return PATHS[path]


def _by_model(model: object) -> Shape:
    if not isinstance(model, str):
        return OPENAI
    if model.startswith(mistral.PREFIX):
        return MISTRAL
    return ASSISTERS if model in assisters.MODELS else OPENAI


def read_object(body: bytes, limits: Limits) -> Body:
    """The JSON object in a body.

    Raises:
        RequestError: it is not JSON that every reader reads alike, or no object.
    """
    value = strict_json.read(body, depth=limits.json_depth, members=limits.json_members)
    if not isinstance(value, dict):
        raise RequestError("The body must be a JSON object.", code="invalid_request")
    return value
