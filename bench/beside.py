"""The shipped model's time for one text beside another ONNX graph's, one thread each.

    python -m bench.beside OTHER.onnx [--rounds 40] [--runs 5]

Both run the same number of tokens in turns, so that whatever else the machine does hits both; a
cell is the median of its rounds. The other graph's inputs are filled by their names: ids, mask,
and segments.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.classifiers.onnx import OnnxModel

TOKENS = (16, 32, 64, 128)
_ORDINARY = range(1_000, 20_000)
"""Ids that are ordinary pieces in any vocabulary of this kind."""

Run = Callable[[], Any]


def ours(tokens: int) -> Iterator[Run]:
    """Runs of the shipped model over new tokens."""
    model = OnnxModel(verify_model_folder(EMBEDDED_FOLDER))
    while True:
        yield model.run(tuple(_ids(tokens)))


def theirs(file: Path, tokens: int) -> Iterator[Run]:
    """Runs of another graph, set as ours is: one thread, no spinning."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]
    while True:
        feeds = _feeds(names, _ids(tokens))
        yield partial(session.run, None, feeds)


def _feeds(names: list[str], ids: list[int]) -> Mapping[str, Any]:
    row = np.array([ids], np.int64)
    filled = {"mask": np.ones_like(row), "type": np.zeros_like(row)}
    return {
        name: next((value for word, value in filled.items() if word in name), row) for name in names
    }


def _ids(tokens: int) -> list[int]:
    return random.choices(_ORDINARY, k=tokens)


def measure(file: Path, *, rounds: int, runs: int) -> Iterator[tuple[int, float, float]]:
    """Tokens, milliseconds of ours, of the other."""
    for tokens in TOKENS:
        sides = (ours(tokens), theirs(file, tokens))
        times: tuple[list[float], list[float]] = ([], [])
        for round_ in range(rounds + 1):
            for side, found in zip(sides, times, strict=True):
                some = [next(side) for _ in range(runs)]
                began = time.perf_counter()
                for run in some:
                    run()
                if round_:  # the first one warms up
                    found.append((time.perf_counter() - began) * 1_000 / runs)
        yield tokens, statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| tokens | ours, ms | the other, ms | ratio |\n| ---: | ---: | ---: | ---: |")
    found = measure(options.other, rounds=options.rounds, runs=options.runs)
    for tokens, own, other in found:
        print(f"| {tokens} | {own:.2f} | {other:.2f} | {own / other:.2f} |")


if __name__ == "__main__":
    main()
