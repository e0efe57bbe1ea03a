"""The `openai` package's types, walked: every place in a body where its types allow a string."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import (
    Annotated,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel
from typing_extensions import is_typeddict

_TRANSPARENT = (Annotated, Required, NotRequired)
_UNIONS = (Union, types.UnionType)


def string_paths(kind: object, path: str = "", above: tuple[object, ...] = ()) -> Iterator[str]:
    """Paths like `messages[].content[].text`; `*` is a key that the types leave open.

    `above` are the types that the path leads through: a type within itself is walked once.
    """
    if _is_string(kind):
        yield path
    elif kind not in above:
        for step, member in _below(kind):
            # A union may name a type twice, and so may a list: only members are ways into depth.
            deeper = (*above, kind) if step.startswith(".") else above
            yield from string_paths(member, f"{path}{step}".lstrip("."), deeper)


def _is_string(kind: object) -> bool:
    literal = get_origin(kind) is Literal and isinstance(get_args(kind)[0], str)
    return kind is str or kind is object or literal


def _below(kind: object) -> Iterator[tuple[str, object]]:
    """The steps that lead on from a type, and the types they lead to."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in _TRANSPARENT:
        yield "", arguments[0]
    elif origin in _UNIONS:
        yield from (("", member) for member in arguments)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield ".*", arguments[1]
    elif isinstance(origin, type) and issubclass(origin, Iterable):
        yield "[]", arguments[0]
    elif isinstance(kind, type):
        yield from ((f".{name}", member) for name, member in _members(kind))


def _members(kind: type) -> Iterator[tuple[str, object]]:
    if is_typeddict(kind):
        yield from get_type_hints(kind, include_extras=True).items()
    elif issubclass(kind, BaseModel):
        yield from (
            (field.alias or name, field.annotation) for name, field in kind.model_fields.items()
        )
