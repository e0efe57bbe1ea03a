"""The outermost door: what is true of every request, whatever its route.

Bounds on the head, the caller's key, one id, one log line, and every error as an answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardproxy.errors import RequestError
from guardproxy.events import Observer, Outcome
from guardproxy.policy.taxonomy import V1_DEPRECATED_SINCE, V1_RETIRED_ON
from guardproxy.proxy import responses
from guardproxy.proxy.admission import Admission
from guardproxy.proxy.headers import Headers
from guardproxy.proxy.presence import ClientGone
from guardproxy.proxy.responses import Sender
from guardproxy.proxy.trail import Trail
from guardproxy.proxy.words import NO_WORDS, Words, words_for

logger = logging.getLogger(__name__)

# Encoded separators and NUL mean different things to different servers.
_AMBIGUOUS_PATH = re.compile(rb"%2f|%5c|%00|[#\\\x00-\x20\x7f-\xff]", re.IGNORECASE)
# RFC 3986, 3.2.2 and 3.2.3, without user: nothing here asks where it points, others may.
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
_UNPRINTABLE = re.compile(rb"[^\t\x20-\x7e]")
OPEN_TO_ALL = frozenset({"/healthz", "/readyz", "/metrics"})

_V1_DEPRECATED: Headers = [
    (b"deprecation", V1_DEPRECATED_SINCE.encode()),
    (b"sunset", V1_RETIRED_ON.encode()),
    (
        b"x-guardproxy-warning",
        (
            b"moderation_llm_v1 is deprecated: use moderation_llm_v2; "
            b"`guardproxy policy migrate FILE` rewrites a policy"
        ),
    ),
]


def _own_headers(trail: Trail) -> Headers:
    """What we say about every exchange, as far as it is known when its head is sent."""
    headers: Headers = [(b"x-guardproxy-request-id", trail.request_id.encode())]
    if trail.policy:
        headers.append((b"x-guardproxy-policy", trail.policy.encode()))
        headers.append((b"x-guardproxy-verdict", _verdict_word(trail).encode()))
    if trail.unjudged is not None:
        headers.append((b"x-guardproxy-unjudged", trail.unjudged.encode()))
    return headers + _V1_DEPRECATED if trail.deprecated else headers


def _verdict_word(trail: Trail) -> str:
    if trail.outcome is not Outcome.PASSED:
        return trail.outcome.value
    if trail.unjudged is not None:
        return "unjudged"
    return "flagged" if trail.categories or trail.flagged else "passed"


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """Bounds on a request's head: bytes of all headers, their number, bytes of the target."""

    header_bytes: int
    header_count: int
    target_bytes: int


class Gate:
    """An ASGI app around another.

    Args:
        app: what is behind the gate.
        limits: see `HeadLimits`.
        observer: told of every exchange when it is over.
        admission: how many requests may be in progress.
        client_keys: if any, a caller must present one of them.
        error_words: see `words_for`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: HeadLimits,
        observer: Observer,
        admission: Admission,
        client_keys: Collection[str] = (),
        error_words: Mapping[str, Words] = NO_WORDS,
    ) -> None:
        self._app = app
        self._limits = limits
        self._observer = observer
        self._admission = admission
        self._key_digests = [_digest(key.encode()) for key in client_keys]
        self._error_words = error_words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trail = Trail(request_id=secrets.token_hex(16), started=time.monotonic())
        trail.put(scope)
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                trail.status = message["status"]
                message["headers"] = [*message["headers"], *_own_headers(trail)]
            else:
                trail.response_bytes += len(message.get("body", b""))
            await send(message)

        try:
            self._check_head(scope)
            self._check_key(scope)
            with self._admission.of(receive) as place:
                await self._app(scope, place.receive, send_and_note)
        except ClientGone:
            trail.outcome = Outcome.CLIENT_GONE
        except asyncio.CancelledError:
            # The server stops and has waited long enough: cut is not passed.
            trail.outcome, trail.code = Outcome.FAILED, "shutdown"
            raise
        except Exception as error:  # noqa: BLE001 - the last door: nothing leaves as a traceback
            sender = Sender(send_and_note, trail)
            await self._answer(error, trail, sender, scope["path"], begun)
        finally:
            _settle(trail)
            self._observer.finished(trail.over(scope["method"], time.monotonic()))

    async def _answer(
        self,
        error: Exception,
        trail: Trail,
        sender: Sender,
        path: str,
        begun: bool,  # noqa: FBT001 - a fact
    ) -> None:
        words = trail.render or words_for(path, self._error_words)
        reply = responses.of_error(error, words)
        if reply.outcome is Outcome.FAILED:
            logger.error("request failed", exc_info=error)
        trail.outcome, trail.code = reply.outcome, reply.code
        if begun:
            # Returning without an end makes the server cut the connection: not a silent end.
            return
        try:
            await sender.reply(reply)
        except ClientGone:
            trail.outcome = Outcome.CLIENT_GONE

    def _check_head(self, scope: Scope) -> None:
        headers: Headers = scope["headers"]
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        if len(target) > self._limits.target_bytes:
            raise RequestError(
                f"the path and query are longer than {self._limits.target_bytes} bytes",
                status=414, code="target_too_long",
            )  # fmt: skip
        size = sum([len(name) + len(value) + 4 for name, value in headers])
        if size > self._limits.header_bytes or len(headers) > self._limits.header_count:
            raise RequestError(
                f"the headers are more than {self._limits.header_count} or larger than "
                f"{self._limits.header_bytes} bytes",
                status=431, code="headers_too_large",
            )  # fmt: skip
        if _AMBIGUOUS_PATH.search(scope["raw_path"]):
            raise RequestError("the path is ambiguous", code="invalid_path")
        _check_framing(headers)

    def _check_key(self, scope: Scope) -> None:
        if not self._key_digests or scope["path"] in OPEN_TO_ALL:
            return
        presented = _digest(_presented_key(scope["headers"]))
        # All are compared, whichever fits, so that time says nothing.
        matches = [hmac.compare_digest(presented, known) for known in self._key_digests]
        if not any(matches):
            raise RequestError("no valid API key was presented", status=401, code="invalid_api_key")


def _check_framing(headers: Headers) -> None:
    """What HTTP parsers disagree about (bad-inputs H1, H5, H15, H16, H20)."""
    names = [name for name, _ in headers]
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise RequestError("exactly one plain Host header is needed", code="invalid_host")
    if _UNPRINTABLE.search(b" ".join([value for _, value in headers])):
        raise RequestError("a header holds bytes that are not ASCII", code="invalid_header")
    if b"transfer-encoding" in names:
        codings = [value for name, value in headers if name == b"transfer-encoding"]
        if any(coding.strip().lower() != b"chunked" for coding in codings):
            raise RequestError("only chunked transfer coding is read", code="invalid_framing")
        if b"content-length" in names:
            raise RequestError("a body has one length, not two", code="invalid_framing")
    if b"upgrade" in names:
        raise RequestError("connections are not upgraded here", code="upgrade_refused")


def _presented_key(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            return key.strip() if scheme.lower() == b"bearer" else b""
        if name in (b"x-api-key", b"api-key"):
            return value.strip()
    return b""


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _settle(trail: Trail) -> None:
    """An answer that others wrote has only its status to tell how it went."""
    if trail.outcome is Outcome.PASSED and not trail.policy and trail.status >= 400:
        trail.outcome = Outcome.REFUSED
        if trail.status >= 500:
            trail.outcome = Outcome.OVERLOADED if trail.status == 503 else Outcome.FAILED
