"""A log record as plain fields that are safe to print, whoever wrote it. Pure.

Our own loggers (`guardproxy.*`) are trusted to keep user text out of their messages; a foreign
exception is still named by its type alone, because its message may quote what it failed on. Other
libraries are not trusted: uvicorn and asyncio keep the first line of what they say, the rest only
say where they spoke. No traceback is ever printed: an exception is its type and our own frames.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TypeAlias, TypeGuard

from guardproxy.errors import GuardproxyError

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""What JSON can say."""

LONGEST_TEXT = 512
"""Characters of one field; room for a path or an error's line, none for a document."""
MOST_ELEMENTS = 32
MOST_CAUSES = 8
MOST_FRAMES = 16

_PACKAGE = Path(__file__).parent.parent
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class DataRecord(logging.LogRecord):
    """A record whose fields are plain data already, and which does not ask where it was made.

    Made for each request, of which the usual way costs more than counting it.
    """

    def __init__(self, name: str, level: int, message: str, data: dict[str, Plain]) -> None:
        super().__init__(name, level, "", 0, message, None, None)
        self.data = data


def fields_of(record: logging.LogRecord) -> dict[str, Plain]:
    """Time, level, logger and message; then the fields of our own; then the exception."""
    if isinstance(record, DataRecord):
        return {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": str(record.msg),
            **record.data,
        }
    fields: dict[str, object] = {
        "time": _time(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
    }
    if is_ours(record):
        fields |= {k: v for k, v in record.__dict__.items() if k not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        fields |= _error_fields(record.exc_info[1])
    return {name: plain(value) for name, value in fields.items()}


def is_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] == "guardproxy"


def is_wanted(record: logging.LogRecord) -> bool:
    """Ours and uvicorn's at any level that is set, other libraries' from warnings upwards."""
    if is_ours(record) or record.name.partition(".")[0] == "uvicorn":
        return True
    return record.levelno >= logging.WARNING


def escaped(text: str) -> str:
    """Control, bidi, zero-width and other unprintable characters as visible escapes, and a cap."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}... {len(text) - LONGEST_TEXT} more"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(value: object) -> Plain:
    """A value as JSON has it; what is not data is named by its type."""
    # Nearly every field is one of these two; the order makes a line twice as cheap.
    if isinstance(value, str):
        return escaped(value)
    if value is None or isinstance(value, int) or _is_number(value):
        return value
    if isinstance(value, float | PurePath | BaseException):
        return escaped(str(_spoken(value)))
    if isinstance(value, Mapping):
        return {escaped(str(k)): plain(v) for k, v in list(value.items())[:MOST_ELEMENTS]}
    if isinstance(value, Sequence | frozenset) and not isinstance(value, bytes | bytearray):
        return [plain(element) for element in list(value)[:MOST_ELEMENTS]]
    return type(value).__name__


def _is_number(value: object) -> TypeGuard[float]:
    """JSON has no infinity, and nothing that is not a number."""
    return isinstance(value, float) and math.isfinite(value)


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    if is_ours(record):
        return _filled_in(record)
    match record.name.partition(".")[0]:
        case "uvicorn":
            # Its later lines may be a traceback, which starlette sends it as a plain message.
            return _filled_in(record).partition("\n")[0]
        case "asyncio":
            # "Task exception was never retrieved"; below it stands the exception with its text.
            return str(record.msg).partition("\n")[0]
        case _:
            return f"withheld, from {record.module}:{record.lineno}"


def _filled_in(record: logging.LogRecord) -> str:
    arguments = record.args
    try:
        if isinstance(arguments, tuple):
            return (
                str(record.msg) % tuple(map(_spoken, arguments)) if arguments else str(record.msg)
            )
        return str(record.msg) % {k: _spoken(v) for k, v in (arguments or {}).items()}
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _spoken(value: object) -> object:
    return _named(value) if isinstance(value, BaseException) else value


def _named(error: BaseException) -> str:
    """Our own errors hold no user text (`errors`); of others only the type is known to be safe."""
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, GuardproxyError) else kind


def _error_fields(error: BaseException) -> dict[str, object]:
    causes = list(_causes(error))
    return {
        "error": causes[0],
        "caused_by": causes[1:],
        "frames": [
            f"{Path(frame.filename).relative_to(_PACKAGE.parent).as_posix()}:{frame.lineno}"
            f" {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).is_relative_to(_PACKAGE)
        ][-MOST_FRAMES:],
    }


def _causes(error: BaseException) -> Iterator[str]:
    """The error, what it came from, and the members of a group, breadth first."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < MOST_CAUSES:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield _named(current)
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
        hidden = current.__suppress_context__
        if (origin := current.__cause__ or (None if hidden else current.__context__)) is not None:
            waiting.append(origin)
