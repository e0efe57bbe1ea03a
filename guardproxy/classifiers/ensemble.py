"""What judges a text, put together: the model on each view of it, recognizers beside the model.

passage -> remembered? -> readings (disguises undone)
    -> those a model tells apart, its views -> model, highest of the views -> scores
    -> all of them -> recognizers (validated personal data) -> raise `pii`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Final, Protocol, Self

from guardproxy.classifiers.cache import Digester, ScoreCache
from guardproxy.classifiers.gate import Gate
from guardproxy.classifiers.observer import NoObserver, Observer
from guardproxy.classifiers.scheduler import Job, Scheduler, run_here
from guardproxy.classifiers.windowed import passage_bytes
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError
from guardproxy.normalize import told_apart
from guardproxy.verdict import Scores

PII: Final = "pii"

INLINE_CHARACTERS: Final = 1_000
"""Most text, of one call, that is prepared on the event loop itself: about 1 ms."""

CONTEXT_CHARACTERS: Final = 600
"""Conversation that is kept for a model that reads it: more than 64 tokens in most languages."""


class Model(Protocol):
    """What an ensemble needs of the classifier inside it."""

    @property
    def name(self) -> str: ...

    @property
    def default_thresholds(self) -> Mapping[str, float]: ...

    @property
    def reads_context(self) -> bool: ...

    @property
    def expected_wait(self) -> float: ...

    def count_tokens(self, text: str) -> int: ...

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]: ...


Readings = Callable[[str], Sequence[str]]
"""A text -> itself and what it says when disguises are undone; the text as it came is first."""

PiiScore = Callable[[str, Callable[[], bool]], float]
"""A text, and whether to stop -> 0, or how sure it is that the text holds personal data."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    views: tuple[str, ...]
    pii: float


class Ensemble:
    """Implements the seam `Classifier`; open it with `async with`. It does not open its model."""

    def __init__(
        self,
        model: Model,
        *,
        readings: Readings,
        pii_score: PiiScore,
        gate: Gate,
        cache_entries: int,
        observer: Observer | None = None,
    ) -> None:
        self._model = model
        self._reads_context = model.reads_context
        self._readings = readings
        self._pii_score = pii_score
        self._gate = gate
        self._observer = observer if observer is not None else NoObserver()
        self._digest = Digester()
        self._scores: ScoreCache[Scores] = ScoreCache(cache_entries)
        self._preparing: Scheduler[list[_Prepared]] = Scheduler(threads=1)

    async def __aenter__(self) -> Self:
        await self._preparing.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._preparing.__aexit__(kind, error, traceback)

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def default_thresholds(self) -> Mapping[str, float]:
        return self._model.default_thresholds

    def count_tokens(self, text: str) -> int:
        """Tokens of the text alone, as vendors bill them; call it in a thread if it is long."""
        return self._model.count_tokens(text)

    @property
    def context_characters(self) -> int:
        return CONTEXT_CHARACTERS if self._reads_context else 0

    @property
    def crowded(self) -> bool:
        """Whether more questions than those that follow from the ones under way are too many."""
        return self._gate.is_crowded(self._expected_wait)

    @property
    def _expected_wait(self) -> float:
        return self._preparing.expected_wait + self._model.expected_wait

    def remembered(self, passages: Sequence[Passage]) -> list[Scores | None]:
        """Scores of each passage, in order; None where it has to be judged."""
        found = [self._scores.get(self._key(passage)) for passage in passages]
        for scores in found:
            if scores is not None:
                self._observer.cache(hit=True)
        return found

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        """Scores of each passage, in order; equal passages are judged once.

        Raises:
            ClassifierOverloaded: too many judgements are under way.
            ClassifierDeadline: it took too long.
            ClassifierError: a passage could not be judged.
        """
        keys = [self._key(passage) for passage in passages]
        found: dict[bytes, Scores] = {}
        missing: dict[bytes, Passage] = {}
        for key, passage in zip(keys, passages, strict=True):
            scores = self._scores.get(key)
            self._observer.cache(hit=scores is not None)
            if scores is not None:
                found[key] = scores
            else:
                missing[key] = passage
        if missing:
            async with self._gate.judgement(self._expected_wait):
                found |= await self._judge(missing)
        return [found[key] for key in keys]

    async def _judge(self, missing: Mapping[bytes, Passage]) -> dict[bytes, Scores]:
        prepared = dict(zip(missing, await self._prepare(missing), strict=True))
        views = [
            Passage(view, missing[key].context)
            for key, ready in prepared.items()
            for view in ready.views
        ]
        by_view = iter(await self._model.classify(views))
        judged = {
            key: _combine([next(by_view) for _ in ready.views], ready.pii)
            for key, ready in prepared.items()
        }
        for key, scores in judged.items():
            self._scores.put(key, scores)
        return judged

    async def _prepare(self, missing: Mapping[bytes, Passage]) -> list[_Prepared]:
        texts = [passage.text for passage in missing.values()]
        run = _Preparation(self._readings, self._pii_score, texts)
        size = sum(map(len, texts))
        if size <= INLINE_CHARACTERS:
            return run_here(run)
        (prepared,) = await self._preparing.run_all([Job(self._digest(missing), size, run)])
        return prepared

    def _key(self, passage: Passage) -> bytes:
        parts = passage_bytes(passage)
        return self._digest(parts if self._reads_context else parts[:1])


class _Preparation:
    """What is worked out about texts before the model sees them."""

    def __init__(self, readings: Readings, pii_score: PiiScore, texts: Sequence[str]) -> None:
        self._readings = readings
        self._pii_score = pii_score
        self._texts = texts
        self._stopped = False

    def __call__(self) -> list[_Prepared]:
        return [self._prepare(text) for text in self._texts]

    def _prepare(self, text: str) -> _Prepared:
        if self._stopped:
            raise ClassifierError("stopped")
        readings = self._readings(text)
        pii = max(self._pii_score(reading, self._stops) for reading in readings)
        return _Prepared(told_apart(readings), pii)

    def stop(self) -> None:
        """Ends the run before its next text, or its next piece of a long one."""
        self._stopped = True

    def _stops(self) -> bool:
        return self._stopped


def _combine(views: Sequence[Scores], pii: float) -> Scores:
    """The highest of each category over the views, and `pii` at least as high as recognized.

    Recognizers raise `pii`; where no model judges it they do not make a judge of themselves.
    """
    highest = {category: max(scores[category] for scores in views) for category in views[0]}
    if PII in highest:
        highest[PII] = max(highest[PII], pii)
    return MappingProxyType(highest)
