"""moderationapi.com `POST /v1/moderate`: told apart, and refused in its own words.

Its answer holds what we do not keep (authors, queues, cases); half of it made up would be worse
than none. Sources: api-contracts 0.2, 4.4.
"""

from __future__ import annotations

from typing import NoReturn

from guardproxy.errors import RequestError
from guardproxy.moderation.question import Body, Problem

_TYPES = {401: "authentication_error", 500: "api_error"}
"""Status -> the `type` without which its client cannot read an error of that status."""
DOC_URL = "https://docs.moderationapi.com/api-reference/errors"


def read(body: Body) -> NoReturn:
    """Always refuses.

    Raises:
        RequestError: this form of the call is not served.
    """
    del body
    raise RequestError(
        "`content` is the form of moderationapi.com, which is not served here; "
        'send {"input": "…"} for the Assisters form, or use POST /v1/moderations.',
        code="invalid_request",
        param="content",
    )


def error(problem: Problem, answer_id: str) -> tuple[int, dict[str, object]]:
    """Status and body as its 2.x client wants them: five keys, all required."""
    return problem.status, {
        "type": _TYPES.get(problem.status, "invalid_request_error"),
        "code": problem.code,
        "message": problem.message,
        "request_id": answer_id,
        "doc_url": DOC_URL,
    }
