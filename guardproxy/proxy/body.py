"""Reads a request's body, under its bounds."""

from __future__ import annotations

from guardproxy.errors import RequestError
from guardproxy.proxy.budget import ByteAccount
from guardproxy.proxy.headers import Headers, first
from guardproxy.proxy.presence import ClientGone, Receive

_IN_UTF_8 = ("", "charset=utf-8", "charset=utf8")
"""Parameters of a media type; the last is no registered name, but one that many write."""


async def read_body(
    receive: Receive,
    headers: Headers,
    *,
    limit: int,
    account: ByteAccount,
) -> bytes:
    """The whole body.

    Raises:
        RequestError: it is larger than `limit` bytes (413); the connection's own `receive` says
            when it comes too slowly (408).
        ClientGone: the caller left before it was whole.
        OverloadedError: this process holds too much already.
    """
    declared = first(headers, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        account.add(len(chunk))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def too_slow(seconds: float) -> RequestError:
    """A body was not whole after so many seconds, and nobody waits any longer."""
    return RequestError(
        f"the body did not come within {seconds:.3g} s", status=408, code="body_too_slow"
    )


def _too_large(limit: int) -> RequestError:
    return RequestError(f"the body is larger than {limit} bytes", status=413, code="body_too_large")


def check_json(headers: Headers) -> None:
    """Refuses what would not be read as UTF-8 JSON by everybody.

    Args:
        headers: names in lower case, as ASGI has them.

    Raises:
        RequestError: 415, and what to send instead.
    """
    kinds = [value for name, value in headers if name == b"content-type"]
    kind, _, parameters = (kinds[0] if kinds else b"").decode("latin-1").lower().partition(";")
    if len(kinds) != 1 or kind.strip() != "application/json":
        raise RequestError(
            "send the body as content-type: application/json",
            status=415, code="unsupported_media_type", param="content-type",
        )  # fmt: skip
    if parameters.replace(" ", "").replace('"', "").strip(";") not in _IN_UTF_8:
        raise RequestError(
            "send the body as UTF-8",
            status=415, code="unsupported_charset", param="content-type",
        )  # fmt: skip
    codings = [value for name, value in headers if name == b"content-encoding"]
    if any(coding.strip().lower() != b"identity" for coding in codings):
        raise RequestError(
            "send the body without content-encoding",
            status=415, code="unsupported_coding", param="content-encoding",
        )  # fmt: skip
