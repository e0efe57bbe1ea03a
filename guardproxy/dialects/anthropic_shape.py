"""What Anthropic's API says when it refuses.

A block is a 400 and not a 403: Claude clients show every 403 as a failed login. The kind of error
tells a block (`invalid_request_error`) from a judgement that failed (`api_error`); `guardrails`
stands beside it as in every other dialect (api-contracts 5.5, 5.10).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from guardproxy.dialects import openai_shape
from guardproxy.dialects.base import Fault, Refusal
from guardproxy.policy import guardrail_body
from guardproxy.verdict import Verdict

BLOCKED_STATUS = 400
_KINDS: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def refusal(verdict: Verdict) -> Refusal:
    """A block before the first byte; `error.param` and `error.code` as in Mistral's shape."""
    param, code = guardrail_body.reason(verdict)
    failed = verdict.blocked_by_error
    error = {
        "type": "api_error" if failed else "invalid_request_error",
        "message": guardrail_body.UNJUDGED_MESSAGE if failed else guardrail_body.BLOCKED_MESSAGE,
        "param": param or None,
        "code": code,
    }
    body = {"type": "error", "error": error, "guardrails": guardrail_body.block_summary(verdict)}
    return Refusal(BLOCKED_STATUS, _json(body))


def error_body(fault: Fault) -> bytes:
    """A fault that has nothing to do with a verdict."""
    kind = _KINDS.get(fault.status) or (
        "invalid_request_error" if fault.status < 500 else "api_error"
    )
    error = {
        "type": kind,
        "message": fault.told,
        "param": fault.param,
        "code": fault.code,
    }
    return _json({"type": "error", "error": error})


def event(value: Mapping[str, object]) -> bytes:
    """One server-sent event, named after its `type`: nameless ones are ignored."""
    return openai_shape.event(value, str(value["type"]))


def stream_fault(message: str) -> bytes:
    """The event that says that a stream is not complete."""
    return event({"type": "error", "error": {"type": "api_error", "message": message}})


def _json(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
