"""What `guardproxy moderate` is given to judge: texts, files, lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from guardproxy import strict_json
from guardproxy.errors import RequestError

MOST_BYTES = 64 * 1024 * 1024
"""Largest plain text, and largest line of JSON, that is read."""

SECTION_CHARACTERS = 16_384
OVERLAP_CHARACTERS = 1_024
"""A long text is judged in sections, so that progress can be shown and memory stays flat. The
overlap is longer than a classifier's window: whatever it can see at once is in one section."""

_KEYS = ("text", "input")
_DEPTH, _MEMBERS = 64, 20_000


class UnreadableError(Exception):
    """A source cannot be read at all; one line that says which and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One text to judge, or why there is none.

    `source` says where it came from, `line` which line of it (from 1, for lines of JSON), `size`
    how many bytes of the source it took.
    """

    source: str
    text: str = ""
    line: int | None = None
    size: int = 0
    error: str | None = None

    @property
    def label(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of an entry's text that is judged at once; `last` ends its entry."""

    entry: Entry
    text: str
    start: int
    last: bool

    @property
    def share(self) -> float:
        """Bytes of the source that this section is the first to cover."""
        if not self.entry.text:
            return self.entry.size
        fresh = len(self.text) - (OVERLAP_CHARACTERS if self.start else 0)
        return self.entry.size * fresh / len(self.entry.text)

    @property
    def path(self) -> str:
        """Which characters of the text, counted from 0; the second is not included."""
        return f"{self.start}-{self.start + len(self.text)}"


def entries(texts: Sequence[str], files: Sequence[str], *, lines: bool) -> Iterator[Entry]:
    """Everything to judge, in the order given; read as it is asked for.

    Args:
        texts: from the command line.
        files: paths; `-` is stdin.
        lines: the files hold a JSON object a line.

    Raises:
        UnreadableError: a file cannot be read, or holds nothing.
    """
    given = (
        Entry(f"text {number}", text, size=len(text)) for number, text in enumerate(texts, start=1)
    )
    read = _lines if lines else _whole
    return chain(given, chain.from_iterable(read(name) for name in files))


def total_bytes(texts: Sequence[str], files: Sequence[str]) -> int | None:
    """How much there is to judge; None when a source does not say (a pipe)."""
    paths = [Path(name) for name in files]
    if not all(path.is_file() for path in paths):
        return None
    return sum(map(len, texts)) + sum(path.stat().st_size for path in paths)


def sections(entry: Entry) -> Iterator[Section]:
    """A text in pieces that overlap; every character is in at least one."""
    start, end = 0, min(SECTION_CHARACTERS, len(entry.text))
    while end < len(entry.text):
        yield Section(entry, entry.text[start:end], start, last=False)
        start = end - OVERLAP_CHARACTERS
        end = min(start + SECTION_CHARACTERS, len(entry.text))
    yield Section(entry, entry.text[start:end], start, last=True)


def batches(pieces: Iterable[Section], *, most: int, characters: int) -> Iterator[list[Section]]:
    """Pieces in groups of at most `most`, of about `characters` in all; none is empty."""
    batch: list[Section] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece.text)
        if len(batch) == most or size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _whole(name: str) -> Iterator[Entry]:
    source = _source(name)
    with _opened(name) as stream:
        raw = _read(stream, source)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{source}: is not UTF-8 text (byte {error.start})") from None
    if not text.strip():
        raise _nothing(source)
    yield Entry(source, text, size=len(raw))


def _read(stream: BinaryIO, source: str) -> bytes:
    try:
        raw = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UnreadableError(f"{source}: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise UnreadableError(f"{source}: is larger than {MOST_BYTES} bytes; split it")
    return raw


def _lines(name: str) -> Iterator[Entry]:
    source = _source(name)
    empty = True
    with _opened(name) as stream:
        for number, raw in enumerate(_raw_lines(stream, source), start=1):
            if len(raw) > MOST_BYTES:
                raise UnreadableError(f"{source}:{number}: is longer than {MOST_BYTES} bytes")
            if raw.strip():
                empty = False
                yield _line(source, number, raw)
    if empty:
        raise _nothing(source)


def _raw_lines(stream: BinaryIO, source: str) -> Iterator[bytes]:
    try:
        yield from iter(lambda: stream.readline(MOST_BYTES + 1), b"")
    except OSError as error:
        raise UnreadableError(f"{source}: {error.strerror}") from None


def _nothing(source: str) -> UnreadableError:
    # What should have filled it has failed, more often than not: that must not look clean.
    return UnreadableError(f"{source}: is empty, nothing was judged")


def _line(source: str, number: int, raw: bytes) -> Entry:
    try:
        text = _text(strict_json.read(raw, depth=_DEPTH, members=_MEMBERS))
    except RequestError as error:
        # Within the line: which one it is stands in front already.
        message = error.message.replace("(line 1, column ", "(column ")
        return Entry(source, line=number, size=len(raw), error=message)
    return Entry(source, text, number, len(raw))


def _text(value: strict_json.JsonValue) -> str:
    found = [value[key] for key in _KEYS if key in value] if isinstance(value, dict) else []
    if len(found) == 1 and isinstance(found[0], str):
        return found[0]
    raise RequestError('not an object with one string as "text" (or "input")')


def _source(name: str) -> str:
    return "stdin" if name == "-" else name


def _opened(name: str) -> nullcontext[BinaryIO] | BinaryIO:
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise UnreadableError(f"{name}: {error.strerror}") from None
