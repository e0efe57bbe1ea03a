"""What we say ourselves: blocks, refusals and faults as HTTP, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Message

from guardproxy.dialects import openai_shape
from guardproxy.dialects.base import Fault, Refusal
from guardproxy.errors import GuardproxyError, OverloadedError, RequestError, UpstreamError
from guardproxy.events import Outcome
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


def blocked(refusal: Refusal, verdict: Verdict, *, unsent: bool = False) -> Reply:
    """What a guardrail refused, in the dialect's words.

    Where nothing was sent upstream and only time was short, asking again is free and may help.
    """
    again = unsent and verdict.blocked_by_error and verdict.error in _PASSING
    headers = [*JSON, *(_AGAIN if again else [_FINAL])]
    return Reply(refusal.status, headers, refusal.body, Outcome.BLOCKED, "guardrail")


def of_error(error: Exception, render: Callable[[Fault], bytes] = openai_shape.error_body) -> Reply:
    """An error that we raised on purpose, or a bug; `render` puts it in the dialect's words."""
    headers, outcome = JSON, Outcome.FAILED
    match error:
        case RequestError():
            kind = "authentication_error" if error.status == 401 else "invalid_request_error"
            fault = Fault(error.status, error.message, kind, error.param, error.code)
            headers, outcome = [*JSON, _FINAL], Outcome.REFUSED
            if error.allow is not None:
                headers = [*headers, (b"allow", error.allow.encode())]
        case UpstreamError():
            code = "upstream_error"
            fault = Fault(error.status, error.message, code, None, code)
            outcome = Outcome.UPSTREAM_FAILED
        case OverloadedError():
            message = "too much at once, try again"
            fault = Fault(503, message, "overloaded_error", None, "overloaded")
            headers, outcome = [*JSON, (b"retry-after", b"1")], Outcome.OVERLOADED
        case _:
            code = "error" if isinstance(error, GuardproxyError) else "internal_error"
            fault = Fault(500, "an error inside guardproxy", "server_error", None, code)
    return Reply(fault.status, headers, render(fault), outcome, fault.code)


class Sender:
    """Sends one answer, whole or in pieces; knows whether it has begun.

    Args:
        send: ASGI's; raises `ClientGone`, or an `OSError`, when the caller does not read.
        trail: learns how it ended.
    """

    def __init__(self, send: Send, trail: Trail) -> None:
        self._send = send
        self._trail = trail
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
            await self._send(message)
        except OSError as error:
            raise ClientGone from error
