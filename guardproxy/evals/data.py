"""Reading labelled texts: JSON lines (also gzip) and CSV, strictly; folders hold such files.

Every problem is one line with file and line. What a text says is never repeated.
"""

from __future__ import annotations

import csv
import errno
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from guardproxy.content import Role, TextPart
from guardproxy.errors import DataError
from guardproxy.evals.rows import LABELS, LabelledText

SUFFIXES: Final = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz")
MOST_LINE_BYTES: Final = 16 * 1024 * 1024
"""Longest line that is read; a text of a row is seldom longer than a page."""

_DETAILS: Final = ("lang", "role", "source", "id", "pair")
_UNKNOWN_LANGUAGE: Final = "und"
"""ISO 639-2 for a language nobody has said."""
_CLEAN_OR_NOT: Final = {"0": False, "1": True}

RowRole = Literal["user", "assistant", "none"]


def _label(name: str) -> str:
    if name not in LABELS:
        raise ValueError(f"is no category; these are {', '.join(LABELS)}")
    return name


class _Turn(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    role: Role
    text: str


class _Row(BaseModel):
    """A line of JSON. What else stands in it (`orig`) is for a reader and left alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    text: str
    labels: dict[Annotated[str, AfterValidator(_label)], Literal[0, 1]]
    lang: str = Field(default=_UNKNOWN_LANGUAGE, min_length=1)
    role: RowRole = "none"
    source: str | None = Field(default=None, min_length=1)
    id: str | int | None = None
    context: list[_Turn] = Field(default_factory=list)
    pair: str | int | None = None


def read_rows(paths: Sequence[Path]) -> list[LabelledText]:
    """All rows of some files, in the order given.

    Raises:
        DataError: a file cannot be read, or holds a line that is no row, or no row at all.
    """
    return [row for path in data_files(paths) for row in _read(path)]


def data_files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves; a folder stands for the files of known names right in it, sorted.

    Raises:
        DataError: there is no such file, a folder without data, a name that says no format, or a
            file that stands twice.
    """
    files: list[Path] = []
    for path in paths:
        found = [path] if not path.is_dir() else sorted(filter(_is_data, path.iterdir()))
        if not found:
            raise DataError(f"holds no {', '.join(SUFFIXES)}", file=str(path))
        files += found
    for file in files:
        if not file.exists():
            raise DataError(os.strerror(errno.ENOENT), file=str(file))
        if not _is_data(file):
            raise DataError(f"is none of {', '.join(SUFFIXES)}", file=str(file))
    _refuse_twice(files)
    return files


def _refuse_twice(files: Iterable[Path]) -> None:
    """Rows that count double would pass for enough rows."""
    seen: dict[Path, Path] = {}
    for file in files:
        whole = file.resolve()
        if whole in seen:
            raise DataError(f"is given twice, first as {seen[whole]}", file=str(file))
        seen[whole] = file


def _is_data(file: Path) -> bool:
    return file.name.endswith(SUFFIXES)


def _read(file: Path) -> list[LabelledText]:
    read = _csv_rows if file.name.endswith((".csv", ".csv.gz")) else _json_rows
    try:
        with _opened(file) as stream:
            rows = list(read(file, _lines(stream, file)))
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "is no whole gzip file"
        raise DataError(str(reason), file=str(file)) from None
    if not rows:
        raise DataError("holds no rows", file=str(file))
    return rows


def _opened(file: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(file, "rb") if file.name.endswith(".gz") else file.open("rb")


def _lines(stream: BinaryIO | gzip.GzipFile, file: Path) -> Iterator[str]:
    read: Callable[[], bytes] = lambda: stream.readline(MOST_LINE_BYTES + 1)  # noqa: E731 - for iter
    for number, raw in enumerate(iter(read, b""), start=1):
        if len(raw) > MOST_LINE_BYTES:
            raise DataError(f"is longer than {MOST_LINE_BYTES} bytes", file=str(file), line=number)
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            message = f"is not UTF-8 (byte {error.start} of the line)"
            raise DataError(message, file=str(file), line=number) from None


def _json_rows(file: Path, lines: Iterable[str]) -> Iterator[LabelledText]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _Row.model_validate_json(line)
        except ValidationError as error:
            raise DataError(_problem(error), file=str(file), line=number) from None
        yield _labelled(row, file, number)


def _csv_rows(file: Path, lines: Iterable[str]) -> Iterator[LabelledText]:
    reader = csv.reader(lines, strict=True)
    columns: list[str] = []
    try:
        for cells in reader:
            if not columns:
                columns = _columns(cells, file)
            elif cells:
                if len(cells) != len(columns):
                    raise DataError(
                        f"has {len(cells)} cells, the header has {len(columns)}",
                        file=str(file),
                        line=reader.line_num,
                    )
                yield _csv_row(dict(zip(columns, cells, strict=True)), file, reader.line_num)
    except csv.Error as error:
        raise DataError(f"is no CSV: {error}", file=str(file), line=reader.line_num) from None


def _columns(header: Sequence[str], file: Path) -> list[str]:
    columns = [cell.strip() for cell in header]
    problem = ""
    if "text" not in columns:
        problem = "the header has no column `text`"
    elif strange := [name for name in columns if name not in ("text", *_DETAILS, *LABELS)]:
        problem = (
            f"column {strange[0]!r} is neither `text` nor a category nor one of "
            f"{', '.join(_DETAILS)}; rename it or leave it out"
        )
    elif not set(columns) & set(LABELS):
        problem = f"the header names no category; these are {', '.join(LABELS)}"
    elif len(set(columns)) != len(columns):
        problem = "a column stands twice"
    if problem:
        raise DataError(problem, file=str(file), line=1)
    return columns


def _csv_row(cells: Mapping[str, str], file: Path, line: int) -> LabelledText:
    details = {name: cells[name] for name in _DETAILS if cells.get(name)}
    labels = {}
    for name in LABELS:
        if value := cells.get(name, "").strip():
            if value not in _CLEAN_OR_NOT:
                message = f"{name}: must be 0, 1, or empty for unknown"
                raise DataError(message, file=str(file), line=line)
            labels[name] = int(value)
    try:
        row = _Row.model_validate({"text": cells["text"], "labels": labels, **details})
    except ValidationError as error:
        raise DataError(_problem(error), file=str(file), line=line) from None
    return _labelled(row, file, line)


def _labelled(row: _Row, file: Path, line: int) -> LabelledText:
    return LabelledText(
        text=row.text,
        labels={name: bool(value) for name, value in row.labels.items()},
        lang=row.lang,
        role=row.role,
        source=row.source or file.name.partition(".")[0],
        id=str(line if row.id is None else row.id),
        place=f"{file}:{line}",
        context=tuple(
            TextPart(turn.role, turn.text, f"messages[{index}].content")
            for index, turn in enumerate(row.context)
        ),
        pair=None if row.pair is None else str(row.pair),
    )


def _problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # The key of a mapping is named by its place, and pydantic's own mark for it says nothing.
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
