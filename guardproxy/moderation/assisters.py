"""Assisters `POST /v1/moderate`, and the same on `/v1/moderations` for its two models.

Sources: api-contracts 3.3, 3.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from guardproxy.content import Passage
from guardproxy.errors import RequestError
from guardproxy.moderation.mapping import Judged
from guardproxy.moderation.openai import text_result
from guardproxy.moderation.question import Body, Problem, Question
from guardproxy.strict_json import is_plain_key

DEFAULT_MODEL = "llama-guard-3"
MODELS: tuple[str, ...] = (DEFAULT_MODEL, "shieldgemma")
"""Names that are accepted and answered with; the classifier behind them is always ours."""

MAX_INPUTS = 100

_CODES = frozenset(
    {
        "context_length_exceeded",
        "empty_input",
        "invalid_api_key",
        "invalid_model",
        "invalid_parameter",
        "invalid_request",
        "missing_parameter",
        "rate_limit_exceeded",
        "too_many_inputs",
    }
)
"""Codes the vendor documents and we use; what has none of its own is an `invalid_request`."""


def read(body: Body) -> Question:
    """A request as a question; one result for each input.

    Raises:
        RequestError: the body is not as the vendor documents it.
    """
    for key in body:
        if key not in ("input", "model"):
            # A key may be anybody's text; shown is what looks like a name.
            place = key if is_plain_key(key) else "body"
            raise _invalid("invalid_parameter", "Only input and model are parameters.", place)
    model = body.get("model", DEFAULT_MODEL)
    if not isinstance(model, str) or model not in MODELS:
        raise _invalid("invalid_model", f"Model must be one of: {', '.join(MODELS)}.", "model")
    return Question(
        passages=tuple(Passage(text) for text in _inputs(body)),
        answer=partial(_answer, model),
        counts_tokens=True,
    )


def _inputs(body: Body) -> list[str]:
    if "input" not in body:
        raise _invalid("missing_parameter", "Missing required parameter: input.", "input")
    value = body["input"]
    texts = _texts(value) if isinstance(value, list) else [_text(value, "input")]
    if not texts or not all(texts):
        raise _invalid("empty_input", "Input cannot be empty.", "input")
    if len(texts) > MAX_INPUTS:
        message = f"Too many inputs. Maximum is {MAX_INPUTS}."
        raise _invalid("too_many_inputs", message, "input")
    return texts


def _texts(values: Sequence[object]) -> list[str]:
    return [_text(value, f"input[{index}]") for index, value in enumerate(values)]


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise _invalid("invalid_parameter", "Input must be a string or strings.", place)
    return value


def _invalid(code: str, message: str, param: str) -> RequestError:
    return RequestError(message, code=code, param=param)


def _answer(
    model: str, judged: Sequence[Judged], *, answer_id: str, tokens: int
) -> dict[str, object]:
    return {
        "id": f"modr-{answer_id}",
        "model": model,
        "results": [text_result(item) for item in judged],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def error(problem: Problem, answer_id: str) -> tuple[int, dict[str, object]]:
    """Status and body; `param` only where there is one."""
    del answer_id
    ours = problem.status >= 500
    code = problem.code if ours or problem.code in _CODES else "invalid_request"
    body: dict[str, object] = {
        "message": problem.message,
        "type": "server_error" if ours else "invalid_request_error",
        "code": code,
    }
    return problem.status, {"error": body | ({"param": problem.param} if problem.param else {})}
