"""What of a query is text. Pure.

It goes upstream as it came, and some routes take their text from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from guardproxy.content import Role, TextPart

PATH = "query"
"""Where such a text stands, for a report; its names are the caller's own."""

_BETWEEN = re.compile("[&;]")


def texts_of(query: bytes) -> Iterator[TextPart]:
    """The query as one text, and its values joined: a text may be cut over them."""
    if not query:
        return
    text = query.decode("latin-1")
    found = [unquote_plus(text)]
    values = [unquote_plus(value) for member in _BETWEEN.split(text) if (value := _value(member))]
    if len(values) > 1:
        found += [" ".join(values), "".join(values)]
    for each in found:
        yield TextPart(Role.UNKNOWN, each, PATH)


def _value(member: str) -> str:
    """What a member of a query holds; of a bare name the name."""
    name, _, value = member.partition("=")
    return value or name
