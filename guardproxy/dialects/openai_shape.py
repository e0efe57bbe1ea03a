"""What OpenAI and Mistral say when they refuse: the shape of every API that follows theirs.

Every body has OpenAI's `error` object (`message`, `type`, `param`, `code`), so that its SDK says
why; a 422 has Mistral's `detail` list beside it, which its SDK insists on (api-contracts 2.5).
"""

from __future__ import annotations

import json

from guardproxy.dialects.base import Fault, Refusal
from guardproxy.policy import guardrail_body
from guardproxy.verdict import Verdict

BLOCKED_STATUS = 403
KEEP_ALIVE = b": keep-alive\n\n"
"""A comment, which readers of event streams pass over."""


def refusal(verdict: Verdict) -> Refusal:
    """A block before the first byte, as Mistral documents it."""
    return Refusal(BLOCKED_STATUS, guardrail_body.body_of(verdict))


def error_body(fault: Fault) -> bytes:
    """A fault that has nothing to do with a verdict."""
    error = {
        "message": fault.told,
        "type": fault.kind,
        "param": fault.param,
        "code": fault.code,
    }
    body: dict[str, object] = {"error": error}
    if fault.status == 422:
        problem = {"loc": _location(fault.param), "msg": fault.message, "type": fault.code}
        body["detail"] = [problem]
    return json.dumps(body).encode()


def stream_fault(message: str) -> bytes:
    """The event that says that a stream is not complete; no `[DONE]` follows it."""
    error = {"message": message, "type": "upstream_error", "param": None, "code": "incomplete"}
    return event({"error": error})


def event(value: object, name: str = "") -> bytes:
    """One server-sent event."""
    line = f"event: {name}\n".encode() if name else b""
    return line + b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def _location(param: str | None) -> list[str | int]:
    """`a[0].b` as FastAPI writes it: ["body", "a", 0, "b"]."""
    steps = (param or "").replace("]", "").replace("[", ".").split(".")
    return [
        "body",
        *(int(step) if step.isascii() and step.isdigit() else step for step in steps if step),
    ]
