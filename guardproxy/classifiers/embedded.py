"""The default classifier, opened from a model folder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from guardproxy.classifiers.combined import CombinedModel, Judge
from guardproxy.classifiers.ensemble import Ensemble, Model, PiiScore, Readings
from guardproxy.classifiers.gate import Gate
from guardproxy.classifiers.manifest import EMBEDDED_FOLDER, ModelFolder, verify_model_folder
from guardproxy.classifiers.observer import Observer
from guardproxy.classifiers.onnx import OnnxModel
from guardproxy.classifiers.windowed import OnnxClassifier
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError, ModelError

__all__ = ("EMBEDDED_FOLDER", "available_cores", "open_classifier", "warm_up")

_WARM_UP_TEXT: Final = "How do I water a cactus?"


def available_cores() -> int:
    """Cores this process may use; fewer than the machine has, under affinity masks."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@asynccontextmanager
async def open_classifier(
    folder: ModelFolder | Path = EMBEDDED_FOLDER,
    *,
    readings: Readings,
    pii_score: PiiScore,
    timeout: float,  # noqa: ASYNC109 - the bound of each judgement to come, not of opening
    queue: int,
    threads: int | None = None,
    cache_entries: int,
    observer: Observer | None = None,
) -> AsyncIterator[Ensemble]:
    """Verifies, loads and tries a model; gives the classifier; ends its threads.

    Args:
        folder: a folder already verified, or a path that is verified now.
        readings: a text -> itself and what it says undisguised (`normalize.readings`).
        pii_score: how sure it is that a text holds personal data (`recognizers.pii_score`).
        timeout: seconds a judgement may take in all.
        queue: judgements that may wait while as many as there are threads are worked on.
        threads: runs at once; one per available core if None.
        cache_entries: texts, and windows of texts, whose scores are remembered.
        observer: who counts.

    Raises:
        ModelError: the folder is not what its manifest says, or the model does not work.
    """
    verified = folder if isinstance(folder, ModelFolder) else verify_model_folder(folder)
    lanes = available_cores() if threads is None else threads
    async with (
        _open_models(verified, lanes, cache_entries, observer) as inner,
        Ensemble(
            inner,
            readings=readings,
            pii_score=pii_score,
            gate=Gate(places=queue + lanes, seconds=timeout),
            cache_entries=cache_entries,
            observer=observer,
        ) as ensemble,
    ):
        yield ensemble


@asynccontextmanager
async def _open_models(
    folder: ModelFolder, lanes: int, cache_entries: int, observer: Observer | None
) -> AsyncIterator[Model]:
    """The model of a folder; of a combination's folder, all of them as one."""
    async with AsyncExitStack() as opened:

        async def open_one(one: ModelFolder) -> OnnxClassifier:
            model = OnnxModel(one)
            warm_up(model)
            return await opened.enter_async_context(
                OnnxClassifier(model, threads=lanes, cache_entries=cache_entries, observer=observer)
            )

        if not folder.members:
            yield await open_one(folder)
            return
        manifest = folder.manifest
        yield CombinedModel(
            [Judge(await open_one(member), judged) for member, judged in folder.members],
            name=f"{manifest.name} {manifest.version}",
            default_thresholds=manifest.thresholds,
        )


def warm_up(model: OnnxModel) -> None:
    """One real inference, checked: a model that cannot judge must not open a door.

    Raises:
        ModelError: it failed, or its scores are none.
    """
    try:
        for window in model.windows(Passage(_WARM_UP_TEXT)):
            model.run(window)()
    except ClassifierError as error:
        raise ModelError(f"the model loads but does not judge: {error}") from error
