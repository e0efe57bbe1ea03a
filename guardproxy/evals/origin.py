"""Where figures come from: everything it takes to get them again."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from guardproxy.classifiers.embedded import available_cores
from guardproxy.evals.rows import LabelledText

_CPU_INFO: Final = Path("/proc/cpuinfo")
_PACKAGES: Final = ("guardproxy", "onnxruntime", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that was measured on; its name without the folders above its own."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the figures come from: everything it takes to get them again."""

    command: str
    date: str
    machine: str
    versions: Mapping[str, str]
    model: str
    model_sha256: str
    judged: str
    policy: str
    trained_on: str
    sample: str
    resamples: int
    seed: int
    seconds: float
    files: Sequence[DataFile]


def shown_path(path: Path) -> str:
    """A path by its last two names: whose machine it was on is nobody's business."""
    return str(Path(*path.absolute().parts[1:][-2:]))


def data_files_of(rows: Sequence[LabelledText], files: Sequence[Path]) -> list[DataFile]:
    """The files, with their checksums, and how many of the rows came from each."""
    read = Counter(row.place.rpartition(":")[0] for row in rows)
    return [
        DataFile(shown_path(file), hashlib.sha256(file.read_bytes()).hexdigest(), read[str(file)])
        for file in files
    ]


def machine() -> str:
    """Processor, cores that were used, and system; no name of the machine."""
    return f"{_processor()}, {available_cores()} cores, {platform.system()} {platform.machine()}"


def versions() -> dict[str, str]:
    """Python and what makes the scores."""
    return {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _processor() -> str:
    known = _CPU_INFO.exists()  # on Linux
    lines = _CPU_INFO.read_text(encoding="utf-8").splitlines() if known else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown processor")
