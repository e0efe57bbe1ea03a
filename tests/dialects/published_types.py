"""Vendors' published types, walked: every place in a body where their types allow a string.

A place has a path like `messages[].content[image].source(url).url`. `[image]` is an element, and
`(url)` an object, whose `type` is that; `*` is a key that the types leave open.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel
from typing_extensions import TypeAliasType, is_typeddict

_TRANSPARENT = (Annotated, Required, NotRequired)
_UNIONS = (Union, types.UnionType)
OPEN_KEY = "anything_else"
_KIND = "type"
_TELLING = (_KIND, "role")
"""Fields that tell what an object is; in some types they have a default."""
_ROLE = "user"
_NAMED = re.compile(r"\((.+?)\)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a string may stand, and how to make a body, otherwise valid, that has one there."""

    path: str
    body: Callable[[object], object]


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    kind: object
    required: bool


def places(kind: object) -> Iterator[Place]:
    """Every place below a type."""
    return (replace(place, path=place.path.removeprefix(".")) for place in _places(kind))


def _places(kind: object, above: tuple[object, ...] = ()) -> Iterator[Place]:
    """As `places`, each path with the dot before it.

    `above` are the types that lead to it: a type within itself is walked once, because readers
    recurse where types do.
    """
    if _is_string(kind):
        yield Place("", lambda value: value)
    elif kind not in above:
        for step, member, around in _below(kind):
            # A union may name a type twice, and so may a list: only members are ways into depth.
            deeper = (*above, kind) if step.startswith(".") else above
            for place in _places(member, deeper):
                yield Place(_joined(step, place.path), _within(around, place.body))


def _joined(step: str, path: str) -> str:
    """A step and what follows: an element's `type` stands in its brackets."""
    named = _NAMED.match(path) if step == "[]" else None
    return f"[{named[1]}]{path[named.end() :]}" if named else f"{step}{path}"


def _within(
    around: Callable[[object], object], body: Callable[[object], object]
) -> Callable[[object], object]:
    return lambda value: around(body(value))


def _is_string(kind: object) -> bool:
    literal = get_origin(kind) is Literal and isinstance(get_args(kind)[0], str)
    if kind is str or kind is object or kind is Any or kind is datetime or literal:
        return True
    return isinstance(kind, type) and issubclass(kind, str)


def _aliased(kind: object) -> object:
    """What an alias stands for; None if a type is no alias."""
    if isinstance(kind, TypeAliasType):
        return kind.__value__
    origin = get_origin(kind)
    return origin.__value__[get_args(kind)] if isinstance(origin, TypeAliasType) else None


def _below(kind: object) -> Iterator[tuple[str, object, Callable[[object], object]]]:
    """The steps that lead on from a type, the types they lead to, and what stands around these."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in _TRANSPARENT:
        yield "", arguments[0], lambda value: value
    elif (aliased := _aliased(kind)) is not None:
        yield "", aliased, lambda value: value
    elif origin in _UNIONS:
        yield from (("", member, lambda value: value) for member in arguments)
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield ".*", arguments[1], lambda value: {OPEN_KEY: value}
    elif isinstance(origin, type) and issubclass(origin, Iterable):
        yield "[]", arguments[0], lambda value: [value]
    else:
        yield from _below_object(kind)


def _below_object(kind: object) -> Iterator[tuple[str, object, Callable[[object], object]]]:
    members = _members(kind)
    named = _kind_of(members)
    sample = _sample_of(kind)
    for member in members:

        def around(value: object, name: str = member.name) -> object:
            return {**sample, name: value}

        yield f"{named}.{member.name}", member.kind, around


def _kind_of(members: Iterable[_Member]) -> str:
    """The `type` of an object, as a step; empty if its type does not say one."""
    for member in members:
        if member.name == _KIND and (names := _names(member.kind)):
            return f"({names[0]})"
    return ""


def _names(kind: object) -> tuple[str, ...]:
    """The strings that a type allows, if they are all there is."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return tuple(name for name in arguments if isinstance(name, str))
    if origin in _TRANSPARENT:
        return _names(arguments[0])
    if (aliased := _aliased(kind)) is not None:
        return _names(aliased)
    if origin in _UNIONS:
        return next((names for member in arguments if (names := _names(member))), ())
    return ()


def _sample_of(kind: object) -> Mapping[str, object]:
    """The members without which an object of a type is not valid, and what tells its type."""
    return {
        member.name: _ROLE if member.name == "role" and member.kind is str else _sample(member.kind)
        for member in _members(kind)
        if member.required or (member.name in _TELLING and _names(member.kind))
    }


def _sample(kind: object) -> object:
    """A small value of a type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return arguments[0]
    if (aliased := _aliased(kind)) is not None:
        return _sample(aliased)
    if origin in _TRANSPARENT or origin in _UNIONS:
        return _sample(arguments[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return [_sample(arguments[0])]
    return _sample_of_class(kind)


def _sample_of_class(kind: object) -> object:
    if isinstance(kind, type):
        if issubclass(kind, Enum):
            return next(iter(kind)).value
        if issubclass(kind, bool | int | float):
            return kind(0)
        if is_typeddict(kind) or issubclass(kind, BaseModel):
            return _sample_of(kind)
    return "x"


@cache
def _members(kind: object) -> tuple[_Member, ...]:
    if not isinstance(kind, type):
        return ()
    if is_typeddict(kind):
        # `__required_keys__` knows nothing of annotations that are strings.
        hints = get_type_hints(kind, include_extras=True).items()
        return tuple(_Member(name, hint, get_origin(hint) is Required) for name, hint in hints)
    if issubclass(kind, BaseModel):
        return tuple(
            _Member(field.alias or name, field.annotation, field.is_required())
            for name, field in kind.model_fields.items()
        )
    return ()
