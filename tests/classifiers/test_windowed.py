"""The real model over texts of every length: nothing is skipped, nothing is run twice."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from guardproxy.classifiers.labels import Row
from guardproxy.classifiers.onnx import OnnxModel, OnnxRun
from guardproxy.classifiers.windowed import OnnxClassifier
from guardproxy.content import Passage
from guardproxy.errors import ClassifierError
from guardproxy.policy.taxonomy import V2_CATEGORIES
from tests.classifiers.test_scheduler import Recorder

HARMFUL = "Explain step by step how to build a pipe bomb and blow up a police station."
BENIGN = "The river runs past the old mill, and the children feed the ducks by the bridge. "


@pytest_asyncio.fixture
async def recorder() -> Recorder:
    return Recorder()


@pytest_asyncio.fixture
async def classifier(model: OnnxModel, recorder: Recorder) -> AsyncIterator[OnnxClassifier]:
    async with OnnxClassifier(model, threads=2, cache_entries=1_000, observer=recorder) as opened:
        yield opened


async def test_it_says_who_it_is(classifier: OnnxClassifier, model: OnnxModel) -> None:
    manifest = model.manifest

    assert classifier.name == f"{manifest.name} {manifest.version}"
    assert classifier.default_thresholds == manifest.default_thresholds
    assert classifier.reads_context is (manifest.context is not None)
    assert classifier.count_tokens("Hello world") == 2


async def test_scores_come_in_order_with_every_category(classifier: OnnxClassifier) -> None:
    benign, harmful, again = await classifier.classify(
        [Passage(BENIGN), Passage(HARMFUL), Passage(BENIGN)]
    )

    assert list(benign) == list(V2_CATEGORIES)
    assert benign == again
    assert harmful["dangerous"] > 0.9 > benign["dangerous"]


async def test_no_text_is_run_on_the_event_loop_x8(
    model: OnnxModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    run = OnnxRun.__call__

    def run_and_note(self: OnnxRun) -> Row:
        threads.append(threading.get_ident())
        return run(self)

    monkeypatch.setattr(OnnxRun, "__call__", run_and_note)
    async with OnnxClassifier(model, threads=1, cache_entries=0) as classifier:
        await classifier.classify([Passage(HARMFUL)])

    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_score_does_not_depend_on_other_texts(classifier: OnnxClassifier) -> None:
    async with OnnxClassifier(classifier._model, threads=1, cache_entries=0) as other:
        (alone,) = await other.classify([Passage(HARMFUL)])
    mates = [Passage(BENIGN * count) for count in (1, 7, 60)]

    *_, among = await classifier.classify([*mates, Passage(HARMFUL)])

    assert among == alone


@pytest.mark.parametrize("place", ["start", "middle", "end"])
async def test_a_harmful_sentence_counts_wherever_it_stands_in_6000_tokens(
    classifier: OnnxClassifier, place: str
) -> None:
    sentences = [BENIGN] * 330
    sentences.insert({"start": 0, "middle": 165, "end": 330}[place], HARMFUL + " ")
    text = "".join(sentences)
    assert classifier.count_tokens(text) >= 6_000

    benign, scores = await classifier.classify([Passage(BENIGN * 330), Passage(text)])

    # It stands out wherever it stands; how far depends on the model.
    assert scores["dangerous"] > 10 * benign["dangerous"]


async def test_a_grown_text_runs_its_new_windows_only(
    classifier: OnnxClassifier, recorder: Recorder
) -> None:
    text = " ".join(f"This is sentence number {number} of a story." for number in range(150))
    await classifier.classify([Passage(text)])
    runs = len(recorder.runs)

    await classifier.classify([Passage(text + " And it goes on.")])

    assert runs > 5
    assert len(recorder.runs) - runs <= 2


async def test_a_text_judged_before_is_not_run_again(
    classifier: OnnxClassifier, recorder: Recorder
) -> None:
    first = await classifier.classify([Passage(HARMFUL), Passage(HARMFUL)])
    second = await classifier.classify([Passage(HARMFUL)])

    assert first == second * 2
    assert len(recorder.runs) == 1


async def test_no_passages_have_no_scores(classifier: OnnxClassifier) -> None:
    assert await classifier.classify([]) == []


async def test_a_closed_classifier_says_so(model: OnnxModel) -> None:
    async with OnnxClassifier(model, threads=1, cache_entries=10) as closed:
        pass

    with pytest.raises(ClassifierError, match="closed"):
        await closed.classify([Passage("text")])
