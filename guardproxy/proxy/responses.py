"""What we say ourselves: blocks, refusals and faults as HTTP, in one place.

Every body has OpenAI's `error` object (`message`, `type`, `param`, `code`), so that its SDK says
why; a 422 has Mistral's `detail` list beside it, which its SDK insists on (api-contracts 2.5).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Message

from guardproxy.errors import GuardproxyError, OverloadedError, RequestError, UpstreamError
from guardproxy.events import Outcome
from guardproxy.policy import guardrail_body
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.presence import ClientGone
from guardproxy.proxy.trail import Trail
from guardproxy.verdict import Verdict

Send = Callable[[Message], Awaitable[None]]

JSON: Headers = [(b"content-type", b"application/json")]
# A refusal stays one however often it is repeated, and a repetition would be billed again.
_FINAL = (b"x-should-retry", b"false")
_AGAIN: Headers = [(b"x-should-retry", b"true"), (b"retry-after", b"1")]
_PASSING = frozenset({"overload", "deadline"})
# RFC 9110, 15.3.5 and 15.4.5: these have no body, and so no length.
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `code` is its short reason for log and metric, empty if it passed."""

    status: int
    headers: Headers
    body: bytes
    outcome: Outcome = Outcome.PASSED
    code: str = ""


def blocked(verdict: Verdict, *, unsent: bool = False) -> Reply:
    """What a guardrail refused, as Mistral says it.

    Where nothing was sent upstream and only time was short, asking again is free and may help.
    """
    again = unsent and verdict.blocked_by_error and verdict.error in _PASSING
    headers = [*JSON, *(_AGAIN if again else [_FINAL])]
    body = guardrail_body.body_of(verdict)
    return Reply(403, headers, body, Outcome.BLOCKED, "guardrail")


def of_error(error: Exception) -> Reply:
    """An error that we raised on purpose, or a bug."""
    match error:
        case RequestError():
            return _refused(error)
        case UpstreamError():
            body = _body(error.message, "upstream_error", None, "upstream_error")
            return Reply(error.status, JSON, body, Outcome.UPSTREAM_FAILED, "upstream_error")
        case OverloadedError():
            body = _body("too much at once, try again", "overloaded_error", None, "overloaded")
            headers = [*JSON, (b"retry-after", b"1")]
            return Reply(503, headers, body, Outcome.OVERLOADED, "overloaded")
        case _:
            code = "error" if isinstance(error, GuardproxyError) else "internal_error"
            body = _body("an error inside guardproxy", "server_error", None, code)
            return Reply(500, JSON, body, Outcome.FAILED, code)


def _refused(error: RequestError) -> Reply:
    kind = "authentication_error" if error.status == 401 else "invalid_request_error"
    place = f"{error.param}: " if error.param else ""
    extra: dict[str, object] = {}
    if error.status == 422:
        extra["detail"] = [
            {"loc": _location(error.param), "msg": error.message, "type": error.code}
        ]
    body = _body(place + error.message, kind, error.param, error.code, extra)
    return Reply(error.status, [*JSON, _FINAL], body, Outcome.REFUSED, error.code)


def _location(param: str | None) -> list[str | int]:
    """`a[0].b` as FastAPI writes it: ["body", "a", 0, "b"]."""
    steps = (param or "").replace("]", "").replace("[", ".").split(".")
    return [
        "body",
        *(int(step) if step.isascii() and step.isdigit() else step for step in steps if step),
    ]


def _body(
    message: str, kind: str, param: str | None, code: str, extra: dict[str, object] | None = None
) -> bytes:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return json.dumps({"error": error, **(extra or {})}).encode()


class Sender:
    """Sends one answer, whole or in pieces; knows whether it has begun.

    Args:
        send: ASGI's.
        trail: learns how it ended.
        idle: seconds after which a caller who does not read counts as gone.
    """

    def __init__(self, send: Send, trail: Trail, idle: float) -> None:
        self._send = send
        self._trail = trail
        self._idle = idle
        self.begun = False

    async def reply(self, reply: Reply) -> None:
        """Sends a whole answer."""
        if reply.outcome is not Outcome.PASSED:
            self._trail.outcome = reply.outcome
            self._trail.code = self._trail.code or reply.code
        if reply.status in _BODILESS:
            await self.begin(reply.status, reply.headers)
            await self.write(b"", more=False)
            return
        length = (b"content-length", b"%d" % len(reply.body))
        await self.begin(reply.status, [*reply.headers, length])
        await self.write(reply.body, more=False)

    async def begin(self, status: int, headers: Headers) -> None:
        """Sends status and headers."""
        self.begun = True
        await self._put({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool) -> None:
        """Sends a piece of the body."""
        await self._put({"type": "http.response.body", "body": body, "more_body": more})

    async def _put(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._idle):
                await self._send(message)
        except (TimeoutError, OSError) as error:
            raise ClientGone from error
