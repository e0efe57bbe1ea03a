"""Model, views and recognizers together; what was judged is remembered, failures are not."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from guardproxy.classifiers.ensemble import Ensemble
from guardproxy.classifiers.gate import Gate
from guardproxy.content import Passage
from guardproxy.errors import ClassifierDeadline, ClassifierError, ClassifierOverloaded
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Scores


class FakeModel:
    """Scores `pii` by the length of a text, and others 0.1; can be told to fail or to wait."""

    name = "fake 1"
    default_thresholds: Mapping[str, float] = dict.fromkeys(V2_CATEGORIES, 0.5)

    def __init__(self, *, reads_context: bool = False) -> None:
        self.reads_context = reads_context
        self.expected_wait = 0.0
        self.asked: list[list[Passage]] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        self.asked.append(list(passages))
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [
            {**dict.fromkeys(V2_CATEGORIES, 0.1), "pii": len(passage.text) / 10_000}
            for passage in passages
        ]


class Hits:
    """An observer that counts what the cache had."""

    def __init__(self) -> None:
        self.hits: list[bool] = []

    def ran(self, seconds: float, tokens: int) -> None: ...

    def queued(self, depth: int) -> None: ...

    def cache(self, *, hit: bool) -> None:
        self.hits.append(hit)

    def abandoned(self, threads: int) -> None: ...


def both_cases(text: str) -> tuple[str, ...]:
    return (text, text.upper() * 2)


def ensemble(
    model: FakeModel,
    *,
    pii: float = 0.0,
    places: int = 8,
    seconds: float = 60,
    hits: Hits | None = None,
) -> Ensemble:
    return Ensemble(
        model,
        readings=both_cases,
        pii_score=lambda text, _: pii if "@" in text else 0.0,
        gate=Gate(places=places, seconds=seconds),
        cache_entries=100,
        observer=hits,
    )


async def test_it_is_its_model_by_name() -> None:
    judge = ensemble(FakeModel())

    assert (judge.name, judge.default_thresholds["pii"]) == ("fake 1", 0.5)
    assert judge.count_tokens("two words") == 2


async def test_a_category_takes_its_highest_view() -> None:
    model = FakeModel()
    async with ensemble(model) as judge:
        (scores,) = await judge.classify([Passage("abc", "before")])

    assert [p.text for p in model.asked[0]] == ["abc", "ABCABC"]
    assert scores["pii"] == 6 / 10_000
    assert scores["sexual"] == 0.1


async def test_a_recognizer_raises_pii_and_nothing_else() -> None:
    async with ensemble(FakeModel(), pii=0.9) as judge:
        plain, address = await judge.classify([Passage("abc"), Passage("a@c")])

    assert address == {**plain, "pii": 0.9}


async def test_a_recognizer_sees_readings_that_are_the_same_to_a_model() -> None:
    model = FakeModel()
    seen: list[str] = []

    def looks(text: str, _: object) -> float:
        seen.append(text)
        return 0.9 if text == "A\u00a0B" else 0.0

    judge = Ensemble(
        model,
        readings=lambda text: (text, "a b", "A\u00a0B"),
        pii_score=looks,
        gate=Gate(places=1, seconds=60),
        cache_entries=1,
    )
    async with judge:
        (scores,) = await judge.classify([Passage("\u24d0 b")])

    assert [passage.text for passage in model.asked[0]] == ["\u24d0 b"]
    assert seen == ["\u24d0 b", "a b", "A\u00a0B"]
    assert scores["pii"] == 0.9


async def test_a_recognizer_never_lowers_pii() -> None:
    async with ensemble(FakeModel(), pii=0.0001) as judge:
        (scores,) = await judge.classify([Passage("a@b" * 100)])

    assert scores["pii"] == 600 / 10_000


async def test_equal_passages_are_judged_once_and_remembered_x29() -> None:
    model, hits = FakeModel(), Hits()
    async with ensemble(model, hits=hits) as judge:
        first = await judge.classify([Passage("a"), Passage("b"), Passage("a")])
        second = await judge.classify([Passage("b"), Passage("a")])

    assert first == [second[1], second[0], second[1]]
    assert [p.text for p in model.asked[0]] == ["a", "AA", "b", "BB"]
    assert len(model.asked) == 1
    assert hits.hits == [False, False, False, True, True]


async def test_what_it_remembers_needs_no_waiting() -> None:
    model, hits = FakeModel(), Hits()
    async with ensemble(model, hits=hits) as judge:
        judged = await judge.classify([Passage("a")])
        remembered = judge.remembered([Passage("b"), Passage("a")])

    assert remembered == [None, *judged]
    assert len(model.asked) == 1
    assert hits.hits == [False, True]


async def test_what_was_remembered_cannot_be_changed() -> None:
    async with ensemble(FakeModel()) as judge:
        (scores,) = await judge.classify([Passage("a")])

    with pytest.raises(TypeError):
        scores["pii"] = 0.0  # type: ignore[index] # what the test is about


@pytest.mark.parametrize(("reads_context", "calls"), [(True, 2), (False, 1)])
async def test_context_counts_only_for_a_model_that_reads_it(
    reads_context: bool, calls: int
) -> None:
    model = FakeModel(reads_context=reads_context)
    async with ensemble(model) as judge:
        await judge.classify([Passage("a", "one")])
        await judge.classify([Passage("a", "two")])

    assert len(model.asked) == calls


def test_context_is_asked_for_only_by_a_model_that_reads_it() -> None:
    assert ensemble(FakeModel()).context_characters == 0
    assert ensemble(FakeModel(reads_context=True)).context_characters > 0


async def test_long_texts_have_the_same_scores_as_short_ones() -> None:
    model = FakeModel()
    texts = [Passage("x" * size) for size in (10, 500, 4_000)]
    async with ensemble(model) as judge:
        together = await judge.classify(texts)
    async with ensemble(model) as judge:
        apart = [(await judge.classify([text]))[0] for text in texts]

    assert together == apart


async def test_a_failure_is_raised_and_not_remembered() -> None:
    model = FakeModel()
    model.error = ClassifierError("no")
    async with ensemble(model) as judge:
        with pytest.raises(ClassifierError):
            await judge.classify([Passage("a")])
        model.error = None
        (scores,) = await judge.classify([Passage("a")])

    assert scores["sexual"] == 0.1


@pytest.mark.parametrize("text", ["short", "long" * 1_000])
async def test_a_failing_recognizer_is_a_failed_judgement(text: str) -> None:
    def fails(_: str, __: object) -> float:
        raise ValueError("quotes the text")

    judge = Ensemble(
        FakeModel(),
        readings=both_cases,
        pii_score=fails,
        gate=Gate(places=1, seconds=60),
        cache_entries=1,
    )
    async with judge:
        with pytest.raises(ClassifierError, match=r"^a run failed: ValueError$"):
            await judge.classify([Passage(text)])


async def test_one_more_than_the_places_is_overload_but_what_is_remembered_is_served() -> None:
    model = FakeModel()
    async with ensemble(model, places=2) as judge, asyncio.TaskGroup() as tasks:
        await judge.classify([Passage("known")])
        model.gate = asyncio.Event()
        for text in ("a", "b"):
            tasks.create_task(judge.classify([Passage(text)]))
        await asyncio.sleep(0)

        with pytest.raises(ClassifierOverloaded):
            await judge.classify([Passage("c")])
        assert await judge.classify([Passage("known")])
        model.gate.set()


async def test_a_hung_model_is_a_deadline_and_the_place_is_free_again() -> None:
    model = FakeModel()
    async with ensemble(model, places=1, seconds=0.02) as judge:
        model.gate = asyncio.Event()
        for _ in range(3):
            with pytest.raises(ClassifierDeadline):
                await judge.classify([Passage("a")])
        model.gate = None

        assert await judge.classify([Passage("a")])


async def test_a_deadline_ends_the_preparation_of_texts() -> None:
    looked_at: list[str] = []
    stopped = threading.Event()

    def waits(text: str, stops: Callable[[], bool]) -> float:
        looked_at.append(text)
        while not stops():
            time.sleep(0.001)
        stopped.set()
        return 0.0

    judge = Ensemble(
        FakeModel(),
        readings=lambda text: (text,),
        pii_score=waits,
        gate=Gate(places=1, seconds=0.5),  # the thread has begun by then
        cache_entries=1,
    )
    async with judge:
        with pytest.raises(ClassifierDeadline):
            await judge.classify([Passage("x" * 2_000), Passage("y" * 2_000)])
        await asyncio.to_thread(stopped.wait, 10)

    assert looked_at == ["x" * 2_000]


async def test_a_model_that_is_behind_is_overload_for_newcomers_first() -> None:
    model = FakeModel()
    async with ensemble(model, seconds=2) as classifier:
        crowded = {}
        for model.expected_wait in (0.0, 0.6):
            crowded[model.expected_wait] = classifier.crowded

        assert crowded == {0.0: False, 0.6: True}
        assert await classifier.classify([Passage("an answer to one who is inside")])
        model.expected_wait = 2.0
        with pytest.raises(ClassifierOverloaded):
            await classifier.classify([Passage("another")])
        assert await classifier.classify([Passage("an answer to one who is inside")])
