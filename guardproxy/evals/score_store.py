"""Scores kept on disk between runs, so that a rerun costs seconds; texts are kept as digests only.

A score belongs to everything that made it: the model's files, the switch for the bare model, and
the code between a text and its score. A change of any of them finds nothing and judges again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol, Self

import numpy as np

import guardproxy
from guardproxy.classifiers.cache import Digester
from guardproxy.classifiers.manifest import MANIFEST_FILE, ModelFolder
from guardproxy.classifiers.windowed import passage_bytes
from guardproxy.content import Passage
from guardproxy.errors import ConfigurationError
from guardproxy.evals.metrics import Floats

_CODE: Final = ("classifiers", "normalize")
"""Rooms a text goes through on its way to a score."""
_RUNTIMES: Final = ("onnxruntime", "tokenizers")
_ASKED_AT_ONCE: Final = 500
"""Keys in one question: SQLite takes 999 variables at least."""
_digest: Final = Digester(b"")
"""Without a key: it must find in another run what it kept in this one."""


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
        with self._told(), ExitStack() as on_failure:
            self._database = sqlite3.connect(file)
            on_failure.callback(self._database.close)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS scores (key BLOB PRIMARY KEY, scores BLOB NOT NULL)"
            )
            on_failure.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Floats]:
        """The scores that are known.

        Raises:
            ConfigurationError: the file is not one of these.
        """
        found: dict[bytes, Floats] = {}
        for start in range(0, len(keys), _ASKED_AT_ONCE):
            asked = keys[start : start + _ASKED_AT_ONCE]
            places = ",".join("?" * len(asked))
            with self._told():
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
        with self._told(), self._database:
            self._database.executemany("INSERT OR REPLACE INTO scores VALUES (?, ?)", rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite says goes wrong, as an error of ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self._file}: cannot keep scores: {error}") from None


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
    """Digest of a passage as this judge sees it.

    Args:
        judge: from `identity`.
        passage: what is judged.
    """
    return _digest((judge, *passage_bytes(passage)))
