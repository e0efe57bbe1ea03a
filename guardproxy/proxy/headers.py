"""Which headers travel, in each direction. Pure."""

from __future__ import annotations

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: these are for one connection, not for the next.
_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization",
        b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
# Ours to set: the length and the coding of what we send, and the name of whom we call.
_REPLACED = frozenset({b"host", b"content-length", b"accept-encoding", b"expect"})
# What a client says of its own way here would speak in our name upstream; and a server that
# believes in another path or method would serve a request that nobody judged.
_FORWARDING = frozenset(
    {
        b"forwarded", b"x-real-ip", b"via", b"cookie", b"x-http-method",
        b"x-http-method-override", b"x-method-override", b"x-original-method", b"x-original-uri",
        b"x-original-url", b"x-rewrite-url",
    }
)  # fmt: skip
_KEPT_HERE = _HOP_BY_HOP | _REPLACED | _FORWARDING
CREDENTIALS = frozenset({b"authorization", b"api-key", b"x-api-key"})
_KEPT_PREFIXES = (b"x-guardproxy-", b"x-forwarded-")

# An answer's headers leave only if they are known to speak about the answer.
_ANSWER = frozenset(
    {
        b"content-type", b"cache-control", b"retry-after", b"retry-after-ms", b"x-should-retry",
        b"x-request-id", b"request-id", b"apim-request-id", b"azureml-model-session",
        b"x-ms-region", b"x-ms-client-request-id", b"x-ms-rai-invoked", b"deprecation", b"sunset",
        b"www-authenticate", b"content-language", b"openai-organization", b"openai-project",
        b"openai-model", b"openai-processing-ms", b"openai-version", b"server-timing",
    }
)  # fmt: skip
_NOTHING_NAMED = frozenset[bytes]()
_ANSWER_PREFIXES = (b"x-ratelimit-", b"ratelimit-", b"anthropic-", b"mistral-", b"x-mistral-")


def for_upstream(headers: Iterable[tuple[bytes, bytes]], api_key: str | None) -> Headers:
    """The caller's headers as the upstream gets them.

    Names with an underscore are dropped: some servers read `x_a` as `x-a`. With `api_key` the
    caller's credentials stay here and that key goes in their place.
    """
    headers = list(headers)
    dropped = _KEPT_HERE | _named_in_connection(headers)
    if api_key is not None:
        dropped |= CREDENTIALS
    kept = [
        (name, value)
        for name, value in headers
        if name not in dropped and b"_" not in name and not name.startswith(_KEPT_PREFIXES)
    ]
    # A coded answer could not be judged, so none is asked for.
    kept.append((b"accept-encoding", b"identity"))
    if api_key is not None:
        kept.append(_credential(headers, api_key.encode()))
    return kept


def _credential(headers: Headers, key: bytes) -> tuple[bytes, bytes]:
    """The configured key, in the header that the caller's API wants it in."""
    used = {name for name, _ in headers}
    for name in (b"x-api-key", b"api-key"):
        if name in used and b"authorization" not in used:
            return name, key
    return b"authorization", b"Bearer " + key


def for_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The upstream's headers as the caller gets them: those that are known, as they came."""
    known = [
        (name, value)
        for name, value in [(name.lower(), value) for name, value in headers]
        if name in _ANSWER or name.startswith(_ANSWER_PREFIXES) or name == b"connection"
    ]
    dropped = _named_in_connection(known)
    return [(name, value) for name, value in known if name not in dropped]


def first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value of a header; names compare in lower case."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def _named_in_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """`connection` itself, and what it says is for one connection only."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    if not values:
        return _NOTHING_NAMED
    return frozenset(
        [b"connection", *(token.strip().lower() for token in b",".join(values).split(b","))]
    )
