"""Texts get the scores that `serve` would give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from guardproxy.app import build_classifier
from guardproxy.classifiers.embedded import EMBEDDED_FOLDER
from guardproxy.classifiers.manifest import verify_model_folder
from guardproxy.content import Passage
from guardproxy.errors import ClassifierDeadline
from guardproxy.evals.judge import open_judge, score
from guardproxy.evals.score_store import ScoreStore
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.settings import Settings
from guardproxy.verdict import Scores
from tests.fakes import KeywordClassifier

FOLDER = verify_model_folder(EMBEDDED_FOLDER)
DISGUISED = "I will k\u200bi\u200bl\u200bl y\u200bo\u200bu tonight, bring a g\u200bu\u200bn"
MAIL = "write to anna.schmidt@example.com"
SETTINGS = Settings(classifier_threads=1)


async def scores(texts: Sequence[str], *, bare: bool) -> list[dict[str, float]]:
    async with open_judge(SETTINGS, FOLDER, bare=bare) as classifier:
        judged = await score(classifier, [Passage(text) for text in texts])
    return [dict(zip(V2_CATEGORIES, each.tolist(), strict=True)) for each in judged]


async def test_the_way_is_that_of_serve() -> None:
    async with build_classifier(SETTINGS, folder=FOLDER) as classifier:
        expected = await classifier.classify([Passage(DISGUISED), Passage(MAIL)])

    assert await scores([DISGUISED, MAIL], bare=False) == [dict(each) for each in expected]


async def test_the_bare_model_reads_the_text_as_it_came_and_nothing_beside() -> None:
    (whole, mail), (bare, bare_mail) = (
        await scores([DISGUISED, MAIL], bare=False),
        await scores([DISGUISED, MAIL], bare=True),
    )

    assert all(bare[category] <= whole[category] for category in V2_CATEGORIES)
    assert bare != whole
    assert bare_mail["pii"] < mail["pii"]


async def test_equal_texts_are_judged_once_and_each_has_its_own_place() -> None:
    classifier = KeywordClassifier()
    texts = [f"text {number % 50}" + " bomb" * (number % 2) for number in range(200)]

    judged = await score(classifier, [Passage(text) for text in texts])

    assert sum(map(len, classifier.asked)) == 50
    assert judged.shape == (200, 11)
    dangerous = judged[:, V2_CATEGORIES.index("dangerous")]
    assert dangerous.tolist() == [0.9 if number % 2 else 0.01 for number in range(200)]


async def test_what_is_remembered_is_not_judged_again(tmp_path: Path) -> None:
    classifier, behind = KeywordClassifier(), list[int]()
    passages = [Passage(f"a bomb, number {number}") for number in range(100)]
    with ScoreStore(tmp_path / "scores.db") as store:
        first = await score(classifier, passages[:60], store=store)
        asked = len(classifier.asked)
        again = await score(classifier, passages, store=store, advance=behind.append)

    assert (first == again[:60]).all()
    assert sum(map(len, classifier.asked[asked:])) == 40
    assert sum(behind) == sum(len(passage.text) for passage in passages)


async def test_another_judge_judges_anew(tmp_path: Path) -> None:
    classifier = KeywordClassifier()
    with ScoreStore(tmp_path / "scores.db") as store:
        for identity in (b"one", b"two"):
            await score(classifier, [Passage("x")], identity=identity, store=store)

    assert len(classifier.asked) == 2


async def test_a_failure_keeps_what_was_judged_before(tmp_path: Path) -> None:
    class Failing(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            if any("bomb" in passage.text for passage in passages):
                raise ClassifierDeadline("too slow")
            return await super().classify(passages)

    passages = [Passage(f"text {number}") for number in range(300)]
    with ScoreStore(tmp_path / "scores.db") as store:
        with pytest.raises(ClassifierDeadline, match="too slow"):
            await score(Failing(), [*passages, Passage("bomb")], store=store)
        healthy = KeywordClassifier()
        await score(healthy, passages, store=store)

    assert sum(map(len, healthy.asked)) < 300


async def test_a_category_that_nobody_judges_is_nan() -> None:
    class Partial(KeywordClassifier):
        def score(self, text: str) -> Scores:
            return {"pii": 0.5}

    (judged,) = await score(Partial(), [Passage("x")])

    assert judged[V2_CATEGORIES.index("pii")] == 0.5
    assert np.isnan(judged).sum() == 10


async def test_nothing_has_no_scores() -> None:
    assert (await score(KeywordClassifier(), [])).shape == (0, 11)
