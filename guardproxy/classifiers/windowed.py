"""Passages to scores through windows: what is remembered is not run again, the rest is scheduled.

A category's score is its highest over all windows of the passage.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from guardproxy.classifiers.cache import Digester, ScoreCache
from guardproxy.classifiers.labels import Row
from guardproxy.classifiers.observer import Observer
from guardproxy.classifiers.onnx import OnnxModel, Window, WindowsRun
from guardproxy.classifiers.scheduler import Job, Scheduler, run_here
from guardproxy.content import Passage
from guardproxy.verdict import Scores

INLINE_CHARACTERS: Final = 1_000
"""Most text, of one call, that is cut on the event loop itself: about 0.6 ms."""


class OnnxClassifier:
    """The model alone behind the seam `Classifier`: no views, no recognizers, no deadline.

    Open it with `async with`; it owns its threads.
    """

    def __init__(
        self,
        model: OnnxModel,
        *,
        threads: int,
        cache_entries: int,
        observer: Observer | None = None,
    ) -> None:
        self._model = model
        self._digest = Digester()
        self._rows: ScoreCache[Row] = ScoreCache(cache_entries)
        self._cutting: Scheduler[list[list[Window]]] = Scheduler(threads=1)
        self._judging = Scheduler(threads, keep=self._rows.put, observer=observer)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open.enter_async_context(self._cutting)
        await self._open.enter_async_context(self._judging)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._open.aclose()

    @property
    def name(self) -> str:
        return f"{self._model.manifest.name} {self._model.manifest.version}"

    @property
    def default_thresholds(self) -> Mapping[str, float]:
        return self._model.manifest.thresholds

    @property
    def reads_context(self) -> bool:
        """Whether the conversation before a text can change its scores."""
        return self._model.manifest.context is not None

    @property
    def expected_wait(self) -> float:
        """Seconds until it is the turn of a short text that comes now."""
        return self._cutting.expected_wait + self._judging.expected_wait

    def count_tokens(self, text: str) -> int:
        """Tokens of the text alone, as vendors bill them; call it in a thread if it is long."""
        return self._model.count_tokens(text)

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        """Scores of each passage, in order.

        Raises:
            ClassifierError: a window could not be judged, so its passage was not.
        """
        keys: list[list[bytes]] = []
        windows: dict[bytes, Window] = {}
        for cut in await self._cut(passages):
            named = {self._key(window): window for window in cut}
            windows |= named
            keys.append(list(named))
        rows = await self._judge(windows)
        return [self._highest([rows[key] for key in names]) for names in keys]

    async def _cut(self, passages: Sequence[Passage]) -> list[list[Window]]:
        run = WindowsRun(self._model, passages)
        size = sum(len(passage.text) + len(passage.context) for passage in passages)
        if size <= INLINE_CHARACTERS:
            return run_here(run)
        key = self._digest(part for passage in passages for part in passage_bytes(passage))
        (windows,) = await self._cutting.run_all([Job(key, size, run)])
        return windows

    async def _judge(self, windows: Mapping[bytes, Window]) -> dict[bytes, Row]:
        rows = {key: row for key in windows if (row := self._rows.get(key)) is not None}
        jobs = [
            Job(key, len(window), self._model.run(window))
            for key, window in windows.items()
            if key not in rows
        ]
        fresh = await self._judging.run_all(jobs)
        return rows | {job.key: row for job, row in zip(jobs, fresh, strict=True)}

    def _key(self, window: Window) -> bytes:
        return self._digest((array("q", window).tobytes(),))

    def _highest(self, rows: Sequence[Row]) -> Scores:
        highest = (max(scores) for scores in zip(*rows, strict=True))
        return dict(zip(self._model.manifest.categories, highest, strict=True))


def passage_bytes(passage: Passage) -> tuple[bytes, bytes]:
    """A passage as bytes to digest; lone surrogates keep their difference."""
    return (
        passage.text.encode("utf-8", "surrogatepass"),
        passage.context.encode("utf-8", "surrogatepass"),
    )
