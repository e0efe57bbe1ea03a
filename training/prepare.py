"""Which rows are trained on, and which the run is measured on: split by whole sources."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from training.config import FORBIDDEN_FOLDERS, HELD_APART
from training.rows import (
    UNKNOWN,
    Row,
    data_files,
    normal_form,
    read_file,
    read_rows,
    values_of,
    write_rows,
)

RELABELLED: Final = Path(__file__).parent / "relabelled"
"""Labels given by reading, where sources left them open: digests, no texts."""

RELABELLED_SOURCE: Final = "relabelled_"
"""Begins the source of a row that was read for all categories, so that it is surely drawn."""

TRAIN_FILE: Final = "train.jsonl.gz"
KNOWN_FILE: Final = "known.jsonl.gz"
APART_FILE: Final = "apart.jsonl.gz"
FACTS_FILE: Final = "prepared.json"
NEVER_CHOSEN_ON: Final = (
    "cse_prompt_injection",
    "hatecheck_en",
    "multilingual_hatecheck",
    "rtp_lx",
    "rtp_lx_benign",
)
"""Public tests: reported, but no setting is chosen on them, nor on their parts among dev."""


@dataclass(frozen=True, slots=True)
class Split:
    """train: trained on; known: other rows of the same sources; apart: of sources never seen."""

    train: Sequence[Row]
    known: Sequence[Row]
    apart: Sequence[Row]
    files: Sequence[Path]


def split(
    train: Sequence[Path],
    dev: Sequence[Path],
    *,
    held_apart: Collection[str] = HELD_APART,
    most: int | None = None,
    relabelled: Path | None = None,
) -> Split:
    """Reads the folders and splits their rows.

    Args:
        train: folders that are trained on, but for sources held apart.
        dev: folders that are only measured on.
        held_apart: those sources.
        most: rows of one source that are measured on, drawn; all if None.
        relabelled: a folder of labels for rows trained on, see `relabel`.

    Raises:
        ValueError: a folder given for training is one that never may be.
    """
    for folder in train:
        if strange := set(folder.parts) & set(FORBIDDEN_FOLDERS):
            raise ValueError(f"{folder}: {min(strange)} is not for training")
    by_file = {file: read_file(file) for file in data_files(train)}
    rows = [row for some in by_file.values() for row in some]
    measured = [row for row in read_rows(dev) if row.source not in NEVER_CHOSEN_ON]
    # A text that is measured on is not trained on, however it is spelt.
    seen = {(normal_form(row.context), normal_form(row.text)) for row in measured}
    kept = [
        row
        for row in rows
        if row.source not in held_apart
        and (normal_form(row.context), normal_form(row.text)) not in seen
    ]
    trained = {row.source for row in kept}
    apart = [row for row in [*rows, *measured] if row.source not in trained]
    known = [row for row in measured if row.source in trained]
    apart, known = _drawn(apart, most), _drawn(known, most)
    files = [file for file, some in by_file.items() if any(row.source in trained for row in some)]
    if relabelled is not None:
        kept = relabel(kept, relabelled)
    return Split(kept, known, apart, files)


def relabel(rows: Sequence[Row], folder: Path) -> list[Row]:
    """The rows; what a source left open is as a file `<source>.jsonl` of the folder has it.

    A line of such a file is `{"sha256": of the text's normal form, "labels": as in any row}`;
    a text whose labels are null is left out: who read it found it unfit to be trained on.
    """
    found = {
        (file.name.split(".")[0], line["sha256"]): line["labels"]
        for file in data_files([folder])
        for line in map(json.loads, file.read_text(encoding="utf-8").splitlines())
    }
    result = []
    for row in rows:
        key = (row.source, digest(row.text))
        if row.context or key not in found:
            result.append(row)
        elif (labels := found[key]) is not None:
            result.append(_with_labels(row, labels))
    return result


def _with_labels(row: Row, labels: Mapping[str, int]) -> Row:
    read, benign = values_of(labels)
    values = tuple(
        theirs if theirs != UNKNOWN else ours for theirs, ours in zip(row.labels, read, strict=True)
    )
    if row.benign != UNKNOWN or 1 in values:
        benign = row.benign if 1 not in values else 0
    return replace(row, source=RELABELLED_SOURCE + row.source, labels=values, benign=benign)


def digest(text: str) -> str:
    """SHA-256 of a text's normal form, hexadecimal."""
    return hashlib.sha256(normal_form(text).encode()).hexdigest()


def _drawn(rows: Sequence[Row], most: int | None) -> list[Row]:
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    chance = random.Random(0)
    return [
        row
        for some in by_source.values()
        for row in (some if most is None or len(some) <= most else chance.sample(some, most))
    ]


def write(prepared: Split, out: Path) -> dict[str, Any]:
    """Writes the three parts and what is in them; gives the latter."""
    out.mkdir(parents=True, exist_ok=True)
    parts = {TRAIN_FILE: prepared.train, KNOWN_FILE: prepared.known, APART_FILE: prepared.apart}
    for name, rows in parts.items():
        write_rows(out / name, rows)
    facts: dict[str, Any] = {
        name.split(".")[0]: dict(sorted(Counter(row.source for row in rows).items()))
        for name, rows in parts.items()
    }
    facts["files"] = {str(file): _sha256(file) for file in prepared.files}
    (out / FACTS_FILE).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
