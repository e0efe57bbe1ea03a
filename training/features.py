"""Pooled features of many texts through an ONNX graph, one text a run, as the proxy runs it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from rich.progress import track

from training.arrays import Floats
from training.graph import INPUT

_CHUNK: Final = 64


class GraphRunner:
    """A graph on the CPU; runs release the GIL."""

    def __init__(self, graph: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )
        self._output = self._session.get_outputs()[0].name

    def one(self, window: Sequence[int]) -> Floats:
        """The output for one window of tokens."""
        ids = np.asarray([window], dtype=np.int64)
        result: Floats = self._session.run([self._output], {INPUT: ids})[0][0]
        return result

    def many(self, windows: Sequence[Sequence[int]], title: str) -> Floats:
        """[windows, outputs], in order, on all cores, with a progress bar."""
        total = math.ceil(len(windows) / _CHUNK)
        return _stacked(track(self._chunks(windows), description=title, total=total))

    def all(self, windows: Sequence[Sequence[int]]) -> Floats:
        """The same without a bar."""
        return _stacked(self._chunks(windows))

    def _chunks(self, windows: Sequence[Sequence[int]]) -> Iterator[list[Floats]]:
        chunks = [windows[i : i + _CHUNK] for i in range(0, len(windows), _CHUNK)]

        def run(chunk: Sequence[Sequence[int]]) -> list[Floats]:
            return [self.one(window) for window in chunk]

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(run, chunks)


def _stacked(chunks: Iterable[list[Floats]]) -> Floats:
    return np.array([row for rows in chunks for row in rows], dtype=np.float32)


def highest_per_text(scores: Floats, counts: Sequence[int]) -> Floats:
    """Scores of windows -> of texts, each category's highest; `counts` windows a text."""
    starts = np.cumsum([0, *counts[:-1]])
    result: Floats = np.maximum.reduceat(scores, starts, axis=0)
    return result
