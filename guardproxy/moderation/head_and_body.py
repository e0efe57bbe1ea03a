"""Reading a request: a head that says JSON, and a body under its cap, in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request

from guardproxy.errors import RequestError


class Account(Protocol):
    """What one request holds of a budget that many share."""

    def add(self, more: int) -> None:
        """Says that more bytes are held.

        Raises:
            OverloadedError: the process would hold more than it may.
        """
        ...


# RFC 9110, 5.6.6: a parameter may be empty, as behind a last semicolon.
_UTF_8 = frozenset({"", "charset=utf-8", 'charset="utf-8"'})


def check_head(method: str, headers: Headers) -> None:
    """Refuse what would not be read as everybody else reads it.

    Raises:
        RequestError: 405 for another method than POST, 415 for anything but plain JSON in UTF-8.
    """
    if method != "POST":
        raise RequestError("Use POST.", status=405, code="method_not_allowed")
    if any(coding.lower() != "identity" for coding in headers.getlist("content-encoding")):
        message = "Send the body without Content-Encoding."
        raise RequestError(message, status=415, code="unsupported_content_encoding")
    types = headers.getlist("content-type")
    kind, *parameters = (part.strip().lower() for part in ",".join(types).split(";"))
    if kind != "application/json" or not _UTF_8.issuperset(parameters):
        message = "Send the body as JSON in UTF-8, with `Content-Type: application/json`."
        raise RequestError(message, status=415, code="unsupported_media_type")


async def read_body(
    request: Request,
    *,
    into: bytearray,
    most_bytes: int,
    idle_seconds: float,
    account: Account | None = None,
) -> None:
    """Reads the body into `into`, as far as it may go.

    Raises:
        RequestError: 413 as soon as it is known to be larger, 408 after a silence.
        OverloadedError: all requests together hold too much.
        ClientDisconnect: the caller has gone.
    """
    # A declared length is only a reason to stop early: it is the bytes that count.
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > most_bytes:
        raise _too_large(most_bytes)
    chunks = aiter(request.stream())
    while (chunk := await _next(chunks, idle_seconds)) is not None:
        if len(into) + len(chunk) > most_bytes:
            raise _too_large(most_bytes)
        if account is not None:
            account.add(len(chunk))
        into += chunk


async def _next(chunks: AsyncIterator[bytes], idle_seconds: float) -> bytes | None:
    try:
        async with asyncio.timeout(idle_seconds):
            return await anext(chunks, None)
    except TimeoutError:
        message = f"Nothing came for {idle_seconds:g} s; send the whole body."
        raise RequestError(message, status=408, code="request_timeout") from None


def _too_large(most_bytes: int) -> RequestError:
    message = f"The body is larger than {most_bytes} bytes; send fewer or shorter inputs."
    return RequestError(message, status=413, code="request_too_large")
