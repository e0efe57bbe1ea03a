"""Options of a command, made from the settings: one for each field, never written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import NoneType
from typing import Any, TypeVar, get_args

import click
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from guardproxy.policy.problems import plain_message
from guardproxy.settings import Settings

_METAVARS: Mapping[object, str] = {int: "NUMBER", float: "SECONDS", SecretStr: "KEY"}
_Command = TypeVar("_Command", bound=Callable[..., object])


def settings_options(names: Iterable[str] | None = None) -> Callable[[_Command], _Command]:
    """Adds `--name` for every field of the settings, or for the named ones."""
    chosen = list(Settings.model_fields if names is None else names)

    def decorate(command: _Command) -> _Command:
        for name in reversed(chosen):
            command = _option(name, Settings.model_fields[name])(command)
        return command

    return decorate


def settings_from(options: Mapping[str, str | bool | None]) -> Settings:
    """The settings: options first, then `GUARDPROXY_*`, then defaults.

    Raises:
        click.UsageError: a value cannot be; one line for each.
    """
    # Whatever they are, the settings check them: as strings here, as in the environment.
    given: dict[str, Any] = {name: each for name, each in options.items() if each is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [
            f"{_place(problem['loc'], given)}: {plain_message(problem)}"
            for problem in error.errors(include_url=False)
        ]
        raise click.UsageError("\n".join(lines)) from error


def _place(location: tuple[int | str, ...], given: Mapping[str, Any]) -> str:
    name = str(location[0]) if location else "settings"
    return _flag(name) if name in given else f"GUARDPROXY_{name.upper()}"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(name: str, field: FieldInfo) -> Callable[[_Command], _Command]:
    kind = _kind(field)
    shown = field.default
    default = f"; default {getattr(shown, 'value', shown)}" if shown is not None else ""
    text = f"{field.description} [GUARDPROXY_{name.upper()}{default}]"
    if kind is bool:
        return click.option(f"{_flag(name)}/--no-{name.replace('_', '-')}", default=None, help=text)
    if isinstance(kind, type) and issubclass(kind, Enum):
        metavar = "|".join(str(member.value) for member in kind)
    else:
        metavar = _METAVARS.get(kind, "TEXT")
    # As text: the settings themselves say what a value may be, here and in the environment.
    return click.option(_flag(name), type=str, default=None, metavar=metavar, help=text)


def _kind(field: FieldInfo) -> object:
    """The field's type, without `| None`."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not NoneType]
    return kinds[0] if kinds else field.annotation
