"""Scores kept on disk between runs, so that a rerun costs seconds; texts are kept as digests only.

A score belongs to everything that made it: the model's files, the switch for the bare model, and
the code between a text and its score. A change of any of them finds nothing and judges again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np

import guardproxy
from guardproxy.classifiers.manifest import MANIFEST_FILE, ModelFolder
from guardproxy.content import Passage
from guardproxy.errors import ConfigurationError
from guardproxy.evals.metrics import Floats

_CODE: Final = ("classifiers", "normalize")
"""Rooms a text goes through on its way to a score."""
_RUNTIMES: Final = ("onnxruntime", "tokenizers")
_DIGEST_BYTES: Final = 16
_ASKED_AT_ONCE: Final = 500
"""Keys in one question: SQLite takes 999 variables at least."""


class Scored(Protocol):
    """Where scores may be remembered."""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        """The scores that are known."""
        ...

    def keep(self, scores: Mapping[bytes, Floats]) -> None:
        """Remembers scores, at once."""
        ...


class NoStore:
    """Remembers nothing."""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:  # noqa: ARG002 - the protocol's
        """Nothing is known."""
        return {}

    def keep(self, scores: Mapping[bytes, Floats]) -> None:
        """Forgets them."""


class ScoreStore:
    """An SQLite file of digest -> scores (float64). Use it with `with`."""

    def __init__(self, file: Path) -> None:
        """Opens or makes the file.

        Raises:
            ConfigurationError: it cannot be written, or is something else.
        """
        self._file = file
        try:
            self._database = sqlite3.connect(file)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, scores BLOB NOT NULL)"
            )
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        """The scores that are known."""
        found: dict[bytes, Floats] = {}
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            asked = keys[start : start + _ASKED_AT_ONCE]
            places = ",".join("?" * len(asked))
            rows = self._database.execute(
                f"SELECT key, scores FROM scores WHERE key IN ({places})",  # noqa: S608 - only "?"
                asked,
            )
            found |= {key: np.frombuffer(scores, dtype=np.float64) for key, scores in rows}
        return found

    def keep(self, scores: Mapping[bytes, Floats]) -> None:
        """Remembers scores, at once: an interrupted run goes on from here.

        Raises:
            ConfigurationError: they cannot be written.
        """
        rows = [(key, row.astype(np.float64).tobytes()) for key, row in scores.items()]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: sqlite3.Error) -> ConfigurationError:
        return ConfigurationError(f"{self._file}: cannot keep scores: {error}")


def identity(folder: ModelFolder, *, bare: bool) -> bytes:
    """Digest of all that makes a score out of a text."""
    parts = [b"bare" if bare else b"whole", folder.manifest.checksum.encode()]
    folders = (folder, *(member for member, _ in folder.members))
    parts += [(each.path / MANIFEST_FILE).read_bytes() for each in folders]
    parts += [version(name).encode() for name in _RUNTIMES]
    package = Path(guardproxy.__file__).parent
    code = [file for room in _CODE for file in sorted((package / room).rglob("*.py"))]
    return _digest([*parts, *(file.read_bytes() for file in code)])


def key(judge: bytes, passage: Passage) -> bytes:
    """Digest of a passage as this judge sees it; lone surrogates keep their difference.

    Args:
        judge: from `identity`.
        passage: what is judged.
    """
    texts = (passage.text, passage.context)
    return _digest([judge, *(text.encode("utf-8", "surrogatepass") for text in texts)])


def _digest(parts: Iterable[bytes]) -> bytes:
    """Digest of the parts, each with its length, so that `ab, c` is not `a, bc`."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
