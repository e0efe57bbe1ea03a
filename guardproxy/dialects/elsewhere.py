"""What a body names that is not in it: servers, stores, files and caches that a model reads from.

Servers in Go find a key whatever its case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guardproxy.dialects.chat_fields import READ_ELSEWHERE
from guardproxy.dialects.leaves import left_over
from guardproxy.strict_json import JsonValue

_ELSEWHERE = frozenset(name.casefold() for name in READ_ELSEWHERE)
_SCHEMAS = frozenset({"parameters", "input_schema", "output_schema", "input_examples"})
"""Keys of a function: what stands there describes or shows arguments."""


def named_in(body: Mapping[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """The members of a body that name content outside it, in the order of their names."""
    for field in sorted(body):
        if field.casefold() in _ELSEWHERE and body[field]:
            yield field, body[field]


def reads_elsewhere(tool: JsonValue) -> bool:
    """Whether a tool, or one of several, has strings under a key that names content outside.

    Objects there do not count, and no function's schema: they describe a property of that name.
    """
    pending = [tool]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if any(isinstance(value, str | list) for _, value in named_in(node)):
                return True
            skipped = _SCHEMAS if "name" in node else ()
            pending.extend(left_over(node, skipped).values())
        elif isinstance(node, list):
            pending.extend(node)
    return False
