"""Texts to scores through the classifier that `serve` uses: as many at once as there are cores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from guardproxy.app import build_classifier
from guardproxy.classifiers.embedded import available_cores, open_classifier
from guardproxy.classifiers.manifest import ModelFolder
from guardproxy.content import Passage
from guardproxy.errors import GuardproxyError
from guardproxy.evals.metrics import Floats
from guardproxy.evals.score_store import NoStore, Scored, key
from guardproxy.guard import Classifier
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.settings import Settings

PATIENCE_SECONDS: Final = 3600.0
"""Longest wait for one batch: nobody waits for an answer on the wire here."""

_BATCH_PASSAGES: Final = 32
_BATCH_CHARACTERS: Final = 16_384
"""What is given to the classifier at once: little, so that an interruption loses little."""


@asynccontextmanager
async def open_judge(
    settings: Settings, folder: ModelFolder, *, bare: bool
) -> AsyncIterator[Classifier]:
    """The classifier of `serve`; or the model alone.

    Args:
        settings: threads and cache of the classifier; its deadline is not for here.
        folder: the model, verified.
        bare: no readings of disguised text, no recognisers: what the model itself is worth.

    Raises:
        ModelError: the model does not work.
    """
    patient = settings.model_copy(update={"classifier_timeout": PATIENCE_SECONDS})
    opened = (
        open_classifier(
            folder,
            readings=lambda text: (text,),
            pii_score=lambda _text, _stops: 0.0,
            timeout=PATIENCE_SECONDS,
            queue=settings.classifier_queue,
            threads=settings.classifier_threads,
            cache_entries=settings.cache_entries,
        )
        if bare
        else build_classifier(patient, folder=folder)
    )
    async with opened as classifier:
        yield classifier


async def score(
    classifier: Classifier,
    passages: Sequence[Passage],
    *,
    identity: bytes = b"",
    store: Scored | None = None,
    advance: Callable[[int], None] = lambda _characters: None,
) -> Floats:
    """Scores [passages, V2_CATEGORIES]; NaN in a category that the classifier does not judge.

    Equal passages are judged once. What the store knows is not judged again.

    Args:
        classifier: the judge.
        passages: what is judged.
        identity: of the judge, see `score_store.identity`.
        store: where scores are remembered.
        advance: told how many more characters are behind us.

    Raises:
        ClassifierError: a text could not be judged; what was judged before is in the store.
    """
    remembers = store if store is not None else NoStore()
    keys = [key(identity, passage) for passage in passages]
    fresh = dict(zip(keys, passages, strict=True))
    found = remembers.find(list(fresh))
    advance(sum(len(fresh.pop(each).text) for each in found))
    batches = _batches(fresh)

    async def work() -> None:
        # The workers take from one iterator: each has its next batch when it is ready for it.
        for batch in batches:
            judged = await classifier.classify(list(batch.values()))
            rows = {each: as_row(scores) for each, scores in zip(batch, judged, strict=True)}
            remembers.keep(rows)
            found.update(rows)
            advance(sum(len(passage.text) for passage in batch.values()))

    try:
        async with asyncio.TaskGroup() as tasks:
            # One more than cores: while one batch is prepared, the others keep the lanes busy.
            for _ in range(available_cores() + 1):
                tasks.create_task(work())
    except* GuardproxyError as group:
        # One line for the user: the first of what went wrong, not a group of it.
        raise group.exceptions[0] from None
    return np.array([found[each] for each in keys]).reshape(len(keys), len(V2_CATEGORIES))


def as_row(scores: Mapping[str, float]) -> Floats:
    """Scores in the schema's order."""
    return np.array([scores.get(category, np.nan) for category in V2_CATEGORIES])


def _batches(passages: Mapping[bytes, Passage]) -> Iterator[dict[bytes, Passage]]:
    batch: dict[bytes, Passage] = {}
    size = 0
    for each, passage in passages.items():
        batch[each] = passage
        size += len(passage.text) + len(passage.context)
        if len(batch) == _BATCH_PASSAGES or size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
