"""Labelled texts, as the data folders hold them: one JSON object a line, gzip or plain."""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from guardproxy.guard import SPEAKERS, turn
from training.config import CATEGORIES, UNION

UNKNOWN: Final = -1

LABELS: Final = (*CATEGORIES, UNION)
"""What a row's labels stand for, in order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text.

    Attributes:
        context: the turns before it, each `role: text` and a line feed, as the proxy gives them.
        labels: 1, 0 or UNKNOWN for each of LABELS.
        benign: 1 where the source vouches for the whole text, 0 where it is in some category.
    """

    text: str
    lang: str
    source: str
    labels: tuple[int, ...]
    context: str = ""
    role: str = "none"
    benign: int = UNKNOWN

    @property
    def positive(self) -> bool:
        return 1 in self.labels


def row(record: Mapping[str, Any], source: str) -> Row:
    """A line of a file, parsed."""
    values, benign = values_of(record["labels"])
    turns = record.get("context") or []
    talk = "".join(turn(each["role"], each["text"]) for each in turns if each["role"] in SPEAKERS)
    return Row(
        text=record["text"],
        lang=record["lang"],
        source=record.get("source", source),
        labels=values,
        context=record.get("talk", talk),
        role=record.get("role", "none"),
        benign=benign,
    )


def values_of(labels: Mapping[str, int]) -> tuple[tuple[int, ...], int]:
    """The values of LABELS, and of `benign`; `dangerous` or `criminal` known settles their union.

    Where the union is 0, so are both.
    """
    values = [int(labels.get(name, UNKNOWN)) for name in LABELS]
    parts = [values[CATEGORIES.index("dangerous")], values[CATEGORIES.index("criminal")]]
    if values[-1] == UNKNOWN:
        values[-1] = 1 if 1 in parts else (0 if parts == [0, 0] else UNKNOWN)
    if values[-1] == 0:
        values[CATEGORIES.index("dangerous")] = values[CATEGORIES.index("criminal")] = 0
    return tuple(values), int(labels.get("benign", UNKNOWN))


def read_file(file: Path) -> list[Row]:
    """Rows of one file, its name being the source of rows that name none."""
    opener = gzip.open if file.suffix == ".gz" else open
    source = file.name.split(".")[0]
    with opener(file, "rt", encoding="utf-8") as lines:
        return [row(json.loads(line), source) for line in lines if line.strip()]


def data_files(folders: Iterable[str | Path]) -> Iterator[Path]:
    """Every file of rows in the folders, in order of their names."""
    for folder in folders:
        yield from sorted(
            file for file in Path(folder).iterdir() if file.name.endswith((".jsonl", ".jsonl.gz"))
        )


def read_rows(
    folders: Sequence[str | Path], *, without: Collection[str] = (), only: Collection[str] = ()
) -> list[Row]:
    """All rows of the folders, but for sources that stay apart.

    Args:
        folders: where the files are.
        without: sources left out.
        only: if given, no other sources.
    """
    return [
        each
        for file in data_files(folders)
        for each in read_file(file)
        if each.source not in without and (not only or each.source in only)
    ]


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Rows as `read_rows` reads them again, compressed."""
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=3) as lines:
        for each in rows:
            lines.write(json.dumps(_record(each), ensure_ascii=False) + "\n")


def _record(row: Row) -> dict[str, Any]:
    labels = dict(zip((*LABELS, "benign"), (*row.labels, row.benign), strict=True))
    return {
        "text": row.text,
        "lang": row.lang,
        "labels": {name: value for name, value in labels.items() if value != UNKNOWN},
        "role": row.role,
        "source": row.source,
        "talk": row.context,
    }


def normal_form(text: str) -> str:
    """What two texts share that differ in nothing but case, spaces and punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if character.isalnum())
