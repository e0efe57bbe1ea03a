"""What of the headers that travel is text. Pure.

A header is read like a field that no dialect knows, with one difference: one word passes as an
id, as it does where a body has structure. Whatever else stands in a header may end in a prompt
(gateways take titles, personas and instructions from headers), so it is judged.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator

from guardproxy.content import Role, TextPart
from guardproxy.errors import RequestError
from guardproxy.normalize.encodings import decode_runs
from guardproxy.proxy.headers import CREDENTIALS, Headers
from guardproxy.strict_json import JsonValue, read, string_leaves

PATH = "headers"
"""Where such a text stands, for a report; a header's name is the caller's own."""

# Read by servers alone: negotiation, caching, dates, what a client library says of itself.
_STANDARD = frozenset(
    {
        b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"content-type",
        b"content-language", b"date", b"deprecation", b"pragma", b"priority", b"retry-after",
        b"server-timing", b"sunset", b"traceparent", b"user-agent", b"www-authenticate",
        b"x-ms-region",
    }
)  # fmt: skip
_STANDARD_PREFIXES = (
    b"anthropic-", b"if-", b"mistral-", b"openai-", b"ratelimit", b"sec-", b"x-ratelimit-",
    b"x-stainless-",
)  # fmt: skip
_FEW = 3
"""Words that may stand in one of those: a date has as many, `no-cache, no-store` has none."""
_BETWEEN = re.compile(r"[\s,;()\"']+")
# The platforms are those that Chrome says whatever it runs on.
_BROWSERS = re.compile(
    r"\((?:KHTML, like Gecko|Macintosh; Intel Mac OS X 10_15_7|Linux; Android 10; K)\)"
)

# Without the signs that begin an escape, an entity or a tag.
_LETTER = rb"[!-$'-;=?-\[\]-~]"
_ONE_WORD = re.compile(_LETTER + b"{0,128}")
_SHORT_WORD = re.compile(_LETTER + b"{0,23}")
_ENCODES = re.compile(r"[%&\\<]")
_LONGEST_WORD = 128
_SCHEME_AND_KEY = re.compile(
    b"(?:[A-Za-z0-9-]{1,32} +)?%b+|[A-Za-z0-9-]{1,32}(?: +\\w+=%b+)+" % (_LETTER, _LETTER)
)
_LONGEST_NAME = 64
# RFC 7519. Who lets a caller in (Cloudflare, Google, AWS, Azure) says so in a header of its own.
_TOKEN = re.compile(
    rb"(?:Bearer +)?([A-Za-z0-9_-]+)={0,2}\.([A-Za-z0-9_-]+)={0,2}\.([A-Za-z0-9_-]*)={0,2}"
)
_TOKEN_DEPTH, _TOKEN_MEMBERS = 8, 1_000
_MOST_WORDS = 8
"""Claims of one word each that are names, roles and kinds; more of them may be a sentence."""
_LEAST_CODE = 24
"""Characters from which on one word may hold a sentence in base64 or hexadecimal digits."""
_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def texts_in(headers: Headers) -> tuple[TextPart, ...]:
    """The texts among headers that go on: each alone and, if there are several, all in one.

    Args:
        headers: names in lower case; lines of one name count as one list (RFC 9110, 5.3).
    """
    found = [
        text
        for name, value in _lists(headers)
        # Most are one short word, and need no closer look.
        if not _SHORT_WORD.fullmatch(value) or len(name) > _LONGEST_NAME
        for text in _texts(name, value)
    ]
    if len(found) > 1:
        found.append("\n".join(found))
    return tuple(TextPart(Role.UNKNOWN, text, PATH) for text in found)


def without_texts(headers: Headers) -> Headers:
    """The headers that hold none, for a route on which nothing is judged."""
    bad = {name for name, value in _lists(headers) if any(_texts(name, value))}
    return [(name, value) for name, value in headers if name not in bad]


def _lists(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    lines: dict[bytes, bytes] = {}
    for name, value in headers:
        lines[name] = lines[name] + b", " + value if name in lines else value
    return lines.items()


def _texts(name: bytes, value: bytes) -> Iterator[str]:
    if len(name) > _LONGEST_NAME:
        yield _decoded(name)
    if name in CREDENTIALS or name.endswith(b"-authorization"):
        structure = _SCHEME_AND_KEY.fullmatch(value) is not None
    elif _is_standard(name):
        structure = _ONE_WORD.fullmatch(value) is not None or _says_little(_decoded(value))
    elif (token := _TOKEN.fullmatch(value)) and (claims := _claims(*token.groups())) is not None:
        yield from claims
        return
    else:
        structure = _is_id(value)
    if value and not structure:
        yield _decoded(value)


def _is_id(value: bytes) -> bool:
    return _ONE_WORD.fullmatch(value) is not None and not _hides(value)


def _claims(head: bytes, claims: bytes, signature: bytes) -> list[str] | None:
    """What of a JWT is no id; None if it is none."""
    held = [_object(head), _object(claims)]
    if None in held or "alg" not in (held[0] or {}):
        return None
    texts = (text for part in held for _, text in string_leaves(part, keys=True))
    told = [text for text in texts if not _is_id(text.encode())]
    values = (text for part in held for _, text in string_leaves(part, keys=False))
    if len(words := dict.fromkeys(filter(str.isalpha, values))) > _MOST_WORDS:
        told.append(" ".join(words))
    if _hides(signature):
        told.append(_decoded(signature))
    return ["\n".join(told)] if told else []


def _object(part: bytes) -> dict[str, JsonValue] | None:
    try:
        text = base64.urlsafe_b64decode(part + b"==")
        value = read(text, depth=_TOKEN_DEPTH, members=_TOKEN_MEMBERS)
    except (ValueError, RequestError):
        return None
    return value if isinstance(value, dict) else None


def _is_standard(name: bytes) -> bool:
    return name in _STANDARD or name.startswith(_STANDARD_PREFIXES)


def _says_little(value: str) -> bool:
    if not value.isascii() or _ENCODES.search(value):
        return False
    words = _BETWEEN.split(_BROWSERS.sub("", value))
    return sum(map(str.isalpha, words)) <= _FEW and max(map(len, words)) <= _LONGEST_WORD


def _hides(word: bytes) -> bool:
    """Is a code of some text."""
    if len(word) < _LEAST_CODE or _UUID.fullmatch(word):
        return False
    text = word.decode("ascii")
    return decode_runs(text) != text


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
