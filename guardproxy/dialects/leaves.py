"""Strings of a JSON body: which are structure, which are text. Unknown means text.

A dialect names the fields it knows; whatever string is left over is judged, so a field that a
vendor adds tomorrow is judged the day it appears.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from guardproxy.strict_json import JsonValue, string_leaves

# What an id, a model name, an enum value or a fingerprint looks like: no white space, short.
# A structural field that holds anything else is judged as text.
_TOKEN = re.compile(r"[A-Za-z0-9_.:/@+=,#-]{0,128}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z$_][A-Za-z0-9_.$-]{0,63}", re.ASCII)
_LINKED = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
# Only the whole string, and only coded: "data: ..." may be the beginning of a sentence.
_EMBEDDED = re.compile(r"data:[a-z0-9.+/;=_-]*;base64,[a-z0-9+/=_-]*", re.IGNORECASE)
_OPAQUE = re.compile(r"[A-Za-z0-9+/=_-]{256,}")


def is_token(value: str) -> bool:
    """Looks like an id or an enum value, not like something to read."""
    return _TOKEN.fullmatch(value) is not None


def refers_to_media(value: JsonValue) -> bool:
    """Holds an address or a long opaque value: something a text classifier cannot read."""
    return any(
        _LINKED.match(text) or _OPAQUE.search(text) for _, text in string_leaves(value, keys=False)
    )


def text_of(
    value: JsonValue, *, structure: Collection[str] = (), without_media: bool = False
) -> str:
    """All strings and telling keys of a subtree, one a line; empty if there are none.

    `structure` names keys whose values are ids or enums: left out while they look the part.
    Keys that look like identifiers are left out too. `without_media` leaves out coded `data:`
    URLs, for those who also ask `embedded_media` and so let the policy decide about them.
    """
    lines = []
    for path, text in string_leaves(value, keys=False):
        if path.rpartition(".")[2].partition("[")[0] in structure and is_token(text):
            continue
        if without_media and _EMBEDDED.fullmatch(text):
            continue
        lines.append(text)
    lines.extend(key for key in _keys(value) if not _IDENTIFIER.fullmatch(key))
    return "\n".join(line for line in lines if line)


def embedded_media(value: JsonValue) -> int:
    """Characters of all `data:` URLs in a subtree."""
    return sum(
        len(text) for _, text in string_leaves(value, keys=False) if _EMBEDDED.fullmatch(text)
    )


def everything_in(value: JsonValue) -> str:
    """All strings and all keys of a subtree, one a line: for schemas and tool arguments."""
    return "\n".join(text for _, text in string_leaves(value, keys=True) if text)


def left_over(value: Mapping[str, JsonValue], known: Collection[str]) -> dict[str, JsonValue]:
    """The members a dialect does not know."""
    return {key: member for key, member in value.items() if key not in known}


def _keys(value: JsonValue) -> Iterable[str]:
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield from node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
