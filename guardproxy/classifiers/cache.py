"""Scores already given, least recently used first to go; texts are kept as keyed digests only."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_DIGEST_BYTES: Final = 16
"""128 bits: a collision by chance or by work is out of reach within one process's life."""


class Digester:
    """Names texts without keeping them.

    The digests are keyed: who reads the memory or a dump cannot test guesses against them, and
    nobody outside can prepare two texts of one digest.
    """

    def __init__(self, key: bytes | None = None) -> None:
        key = secrets.token_bytes(32) if key is None else key
        # A copy of a digest that has read the key is made in half the time of a new one.
        self._keyed = hashlib.blake2b(key=key, digest_size=_DIGEST_BYTES)

    def __call__(self, parts: Iterable[bytes]) -> bytes:
        """Digest of the parts, each with its length, so that `ab, c` is not `a, bc`."""
        digest = self._keyed.copy()
        for part in parts:
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()


class ScoreCache(Generic[T]):
    """The `entries` most recently used values; 0 entries keep nothing."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._values: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: bytes) -> T | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: bytes, value: T) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._entries:
            self._values.popitem(last=False)
