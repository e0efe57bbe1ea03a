"""What judging costs without a proxy: onnxruntime alone, one judgement, and what takes memory.

    python -m guardproxy.bench.floor SECONDS

Prints a `records.FloorRecord` as JSON. A process of its own, because what a part takes can only be
seen while it is loaded.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Final

from guardproxy.bench.plan import WORDS
from guardproxy.bench.processes import rss_of
from guardproxy.bench.records import FloorRecord
from guardproxy.bench.upstream import ANSWER_WORDS
from guardproxy.bench.words import Prompts
from guardproxy.errors import ConfigurationError

if TYPE_CHECKING:
    from guardproxy.classifiers.onnx import OnnxModel, Window

# Loaded one after another, so that each shows what it takes.
_LIBRARIES: Final = ("numpy", "onnxruntime", "tokenizers")
_TEXTS: Final = 64
"""Texts tokenised beforehand, for runs of the model alone; it remembers none of them."""
_NEW: Final = 1_000_000_007
"""Seeds of this module's texts are no seeds of the load's."""


def command(seconds: float) -> list[str]:
    """How to run it, by this interpreter."""
    return [sys.executable, "-m", "guardproxy.bench.floor", str(seconds)]


def measured_apart(seconds: float) -> FloorRecord:
    """What `measure` finds, in a process of its own.

    Raises:
        ConfigurationError: the model could not be loaded or run.
    """
    done = subprocess.run(command(seconds), capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ConfigurationError(f"the model alone cannot be measured: {last}")
    return FloorRecord(**json.loads(done.stdout))


def measure(seconds: float) -> FloorRecord:
    """Everything, within about so many seconds."""
    sizes = {"Python": rss_of(os.getpid())}
    for name in _LIBRARIES:
        import_module(name)
    sizes["numpy, onnxruntime, tokenizers"] = rss_of(os.getpid())
    texts = Prompts(_NEW + time.time_ns())
    model = _load_model()
    prompts, answers = _windows(model, texts, WORDS), _windows(model, texts, ANSWER_WORDS)

    def judge_prompt() -> None:
        model.run(next(prompts))()

    def judge_answer() -> None:
        model.run(next(answers))()

    def judge_both() -> None:
        judge_prompt()
        judge_answer()

    share = seconds / 5
    prompt, answer = _median(judge_prompt, share), _median(judge_answer, share)
    sizes["the model, at work"] = rss_of(os.getpid())
    one, two = (_rate(judge_both, threads, share) for threads in (1, 2))
    return FloorRecord(prompt, answer, one, two, asyncio.run(_judgement(texts, share)), sizes)


def _load_model() -> OnnxModel:
    from guardproxy.classifiers.embedded import (  # noqa: PLC0415 - only now, to see its size
        EMBEDDED_FOLDER,
    )
    from guardproxy.classifiers.manifest import verify_model_folder  # noqa: PLC0415 - as above
    from guardproxy.classifiers.onnx import OnnxModel  # noqa: PLC0415 - as above

    return OnnxModel(verify_model_folder(EMBEDDED_FOLDER))


def _windows(model: OnnxModel, texts: Prompts, words: int) -> Iterator[Window]:
    from guardproxy.content import Passage  # noqa: PLC0415 - as above

    found = [window for _ in range(_TEXTS) for window in model.windows(Passage(texts.new(words)))]
    return itertools.cycle(found)


def _median(call: Callable[[], object], seconds: float) -> float:
    """Seconds of one call; the first does not count."""
    call()
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while not taken or time.perf_counter() < until:
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def _rate(call: Callable[[], object], threads: int, seconds: float) -> float:
    """Calls a second by so many threads at once."""
    begun = time.perf_counter()
    until = begun + seconds

    def work(_: int) -> int:
        for count in itertools.count(1):
            call()
            if time.perf_counter() >= until:
                return count
        raise AssertionError

    with ThreadPoolExecutor(threads) as pool:
        calls = sum(pool.map(work, range(threads)))
    return calls / (time.perf_counter() - begun)


async def _judgement(texts: Prompts, seconds: float) -> float:
    """Seconds of one judgement of a new prompt, as the proxy makes it, from the event loop."""
    from guardproxy.app import build_classifier  # noqa: PLC0415 - as above
    from guardproxy.content import Passage  # noqa: PLC0415 - as above
    from guardproxy.settings import Settings  # noqa: PLC0415 - as above

    taken: list[float] = []
    async with build_classifier(Settings(model=None, classifier_timeout=60.0)) as classifier:
        await classifier.classify([Passage(texts.new(WORDS))])
        until = time.perf_counter() + seconds
        while not taken or time.perf_counter() < until:
            passage = Passage(texts.new(WORDS))
            begun = time.perf_counter()
            await classifier.classify([passage])
            taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


if __name__ == "__main__":
    print(json.dumps(asdict(measure(float(sys.argv[1])))))  # noqa: T201 - it is read by `run`
