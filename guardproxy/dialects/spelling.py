"""That a stream names its fields in one case.

Clients in Go find a field whatever its case. So `content` and `Content`, which are two texts here,
are one text there, put together from the events of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from guardproxy.errors import StreamError
from guardproxy.strict_json import JsonValue

Names: TypeAlias = Mapping[str, "Names"]
"""The lower-case names of fields that go on from event to event; below each, those inside it."""


def named(*names: str, **inside: Names) -> dict[str, Names]:
    """Fields without any of their own inside, and those that have some."""
    return {**{name: {} for name in names}, **inside}


def check_spelling(value: JsonValue, names: Names) -> None:
    """Looks for a known name in another case; lists are what stands in them.

    Raises:
        StreamError: there is one.
    """
    if isinstance(value, list):
        for item in value:
            check_spelling(item, names)
    elif isinstance(value, dict) and names:
        for key, member in value.items():
            if key in names:
                check_spelling(member, names[key])
            elif key.casefold() in names:
                raise StreamError("the stream names a field in two cases")
