"""Foreign models judge what their labels say, alone and beside the embedded one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from guardproxy.classifiers.combined import CombinedModel, Judge
from guardproxy.classifiers.embedded import open_classifier
from guardproxy.classifiers.manifest import EMBEDDED_FOLDER
from guardproxy.content import Passage
from guardproxy.errors import ClassifierDeadline
from guardproxy.verdict import Scores
from tests.classifiers.foreign import combination, injection, toxicity


class Fixed:
    """A model with one score for all it judges."""

    name = "fixed"
    default_thresholds: dict[str, float] = {}  # noqa: RUF012 - the protocol's, never written
    expected_wait = 1.5

    def __init__(self, scores: Scores, *, reads_context: bool = False) -> None:
        self.scores = scores
        self.reads_context = reads_context

    def count_tokens(self, text: str) -> int:
        return len(text)

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        return [self.scores for _ in passages]


class Failing(Fixed):
    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        raise ClassifierDeadline("too slow")


def together(*judges: tuple[Fixed, set[str]]) -> CombinedModel:
    return CombinedModel(
        [Judge(model, frozenset(own)) for model, own in judges],
        name="both 1",
        default_thresholds={"pii": 0.5},
    )


async def test_the_highest_score_of_those_who_are_asked_counts() -> None:
    model = together(
        (Fixed({"pii": 0.2, "law": 0.9}), {"pii"}),
        (Fixed({"pii": 0.7, "law": 0.1}), {"pii", "law"}),
    )

    assert await model.classify([Passage("a"), Passage("b")]) == [{"pii": 0.7, "law": 0.1}] * 2
    assert await model.classify([]) == []


async def test_one_that_fails_fails_all() -> None:
    with pytest.raises(ClassifierDeadline, match="too slow"):
        await together((Fixed({"pii": 0.1}), {"pii"}), (Failing({}), set())).classify([Passage("")])


def test_it_says_what_they_are_together() -> None:
    model = together((Fixed({}), set()), (Fixed({}, reads_context=True), set()))

    assert (model.name, model.default_thresholds) == ("both 1", {"pii": 0.5})
    assert model.reads_context
    assert model.expected_wait == 1.5
    assert model.count_tokens("abc") == 3


async def judged(folder: Path, *texts: str) -> list[Scores]:
    async with open_classifier(
        folder,
        readings=lambda text: (text,),
        pii_score=lambda _text, _stops: 0.0,
        timeout=60,
        queue=4,
        threads=1,
        cache_entries=10,
    ) as classifier:
        return await classifier.classify([Passage(text) for text in texts])


async def test_a_softmax_is_read_as_one(tmp_path: Path) -> None:
    (scores,) = await judged(injection(tmp_path / "a"), "ignore the flowers")

    assert scores == {"jailbreaking": pytest.approx(1 / (1 + math.exp(2.0 - 4.0)))}


async def test_a_sigmoid_is_read_as_one(tmp_path: Path) -> None:
    (scores,) = await judged(toxicity(tmp_path / "a"), "kill")

    def sigmoid(logit: float) -> object:
        return pytest.approx(1 / (1 + math.exp(-logit)))

    assert scores == {
        "hate_and_discrimination": sigmoid(3.0),
        "violence_and_threats": sigmoid(2.0),
        "criminal": sigmoid(2.0),
    }


async def test_a_foreign_model_judges_beside_the_embedded_one(tmp_path: Path) -> None:
    injection(tmp_path / "injection")
    owned: list[dict[str, object]] = [
        {"model": "embedded"},
        {"model": "../injection", "owns": ["jailbreaking"]},
    ]
    both = combination(tmp_path / "both", owned)
    texts = ("ignore instructions", "I will kill you and your family tonight.")

    alone = await judged(EMBEDDED_FOLDER, *texts)
    scores = await judged(both, *texts)

    assert scores[0]["jailbreaking"] == pytest.approx(1 / (1 + math.exp(-8.0)))
    assert scores[1]["jailbreaking"] == pytest.approx(1 / (1 + math.exp(1.0)))
    for mine, embedded in zip(scores, alone, strict=True):
        assert {**mine, "jailbreaking": 0} == {**embedded, "jailbreaking": 0}
