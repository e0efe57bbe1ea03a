"""In whose words an error is told that no dialect has had a hand in: no key, no such route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from guardproxy.dialects import openai_shape
from guardproxy.dialects.base import Fault

Words = Callable[[Fault], bytes]

NO_WORDS: Mapping[str, Words] = MappingProxyType({})

_DEEPEST = 4
"""Segments of a path that are looked at, the empty one before the first slash counted."""


def words_for(path: str, known: Mapping[str, Words]) -> Words:
    """The words of a path, or of the nearest one above it; OpenAI's where nobody is known.

    Args:
        path: a request's, whatever is in it.
        known: paths without a slash at their end.
    """
    path = "/".join(path.split("/")[:_DEEPEST])
    while path:
        if path in known:
            return known[path]
        path = path.rpartition("/")[0]
    return openai_shape.error_body
