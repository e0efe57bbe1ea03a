"""A plan becomes a report about the rows it was made for."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pytest

from guardproxy.content import Passage
from guardproxy.evals.evaluate import Plan, Scoring, asked, default_guards, evaluate, sampled
from guardproxy.evals.report import Report
from guardproxy.evals.score_store import NoStore
from guardproxy.evals.table import Table
from guardproxy.policy.active import activate
from guardproxy.policy.load import load_policy_text
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Scores
from tests.evals.samples import CLEAN, HALF, row, turns
from tests.fakes import KeywordClassifier

ROWS = [
    *(row(f"a bomb {n}", labels={"dangerous": 1, "benign": 0}, source="bad") for n in range(12)),
    *(row(f"a rose {n}", labels=CLEAN, source="good", role="assistant") for n in range(12)),
    row("go on", labels={"selfharm": 1}, source="talk", context=turns("despair", "tell me")),
]
STRICT = "{name: a, input: [{moderation_llm_v2: {action: block}}], output: []}"
OUTPUT = "name: a\ninput: []\noutput: [{moderation_llm_v2: {action: block}}]"


async def measured(plan: Plan, classifier: KeywordClassifier | None = None) -> tuple[Report, Table]:
    judge = classifier or KeywordClassifier()
    policy = activate(load_policy_text(STRICT, "a.yaml"), HALF)
    return await evaluate(plan, policy, Scoring(judge, b"", NoStore(), lambda _: None))


async def test_everything_is_one_section_if_nobody_says_what_was_trained_on() -> None:
    report, table = await measured(Plan(ROWS, resamples=10))

    (everything,) = report.sections
    assert (everything.name, everything.rows) == ("all sources", 25)
    dangerous = next(each for each in everything.categories if each.category == "dangerous")
    assert dangerous.average_precision.value == 1
    assert dangerous.policy is not None
    assert (dangerous.policy.recall.value, dangerous.positives) == (1, 12)
    assert report.partial == []
    assert table.policy.blocked.sum() == 12


async def test_sources_never_trained_on_come_first() -> None:
    report, _ = await measured(Plan(ROWS, frozenset({"bad", "elsewhere"}), resamples=0))

    assert [(each.name, each.rows, list(each.sources)) for each in report.sections] == [
        ("sources never trained on", 13, ["good", "talk"]),
        ("sources trained on", 12, ["bad"]),
    ]


def test_a_section_without_rows_is_left_out() -> None:
    plan = Plan(ROWS[:12], frozenset({"bad"}))

    assert list(plan.sections) == ["sources trained on"]
    assert plan.headline.tolist() == list(range(12))


async def test_a_conversation_is_judged_with_and_without_it() -> None:
    class Reads(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            return [self.score(passage.context + passage.text) for passage in passages]

    report, _ = await measured(Plan(ROWS, resamples=0), Reads())

    assert report.context is not None
    assert (report.context.rows, report.context.reads_context) == (1, True)
    assert (report.context.right.value, report.context.right_without.value) == (1, 0)


async def test_answers_are_cut_where_it_is_asked_for() -> None:
    classifier = KeywordClassifier()
    report, _ = await measured(Plan(ROWS, partial=True, resamples=0), classifier)

    assert [each.share for each in report.partial] == [0.25, 0.5, 0.75, 1.0, None]
    assert {each.rows for each in report.partial} == {12}
    texts = {passage.text for batch in classifier.asked for passage in batch}
    assert {"a ", "a ro", "a rose", "a rose 0"} <= texts


@pytest.mark.parametrize(
    ("streaming", "blocked"),
    [
        ("", 0),
        ("streaming: {partial_thresholds: {dangerous: 0.95}}", 1),
        ("streaming: {mode: live}", 1),
    ],
)
async def test_unfinished_text_is_measured_as_it_is_served(streaming: str, blocked: float) -> None:
    policy = activate(
        load_policy_text(f"{OUTPUT}\n{streaming}", "a.yaml"), HALF, {"dangerous": 0.98}
    )
    classifier = KeywordClassifier({"a ": {"dangerous": 0.97}})
    plan = Plan(ROWS, partial=True, resamples=0)

    report, _ = await evaluate(plan, policy, Scoring(classifier, b"", NoStore(), lambda _: None))

    assert [each.blocked_benign.value for each in report.partial] == [*[blocked] * 3, 1, 1]
    assert [each.blocked_benign_at_final.value for each in report.partial] == [1] * 5


async def test_texts_are_put_behind_turns_where_it_is_asked_for() -> None:
    classifier = KeywordClassifier()
    report, _ = await measured(Plan(ROWS, behind=True, resamples=0), classifier)

    assert report.behind is not None
    assert (report.behind.harmful, report.behind.blocked_alone.value) == (12, 1)
    assert report.behind.blocked_behind.value == 1
    assert report.behind.harmless_behind.value == report.behind.harmless_after_harm.value == 0
    behind = [p for batch in classifier.asked for p in batch if p.context.startswith("user: ")]
    assert len(behind) >= report.behind.harmful + 2 * report.behind.harmless


async def test_harm_is_buried_where_it_is_asked_for() -> None:
    classifier = KeywordClassifier()
    report, _ = await measured(Plan(ROWS, buried=True, resamples=0), classifier)

    assert report.buried is not None
    assert (report.buried.texts, report.buried.blocked_alone.value) == (12, 1)
    assert (report.buried.blocked_buried.value, report.buried.around_blocked.value) == (1, 0)


async def test_a_judge_of_few_categories_is_measured_on_those() -> None:
    class Some(KeywordClassifier):
        default_thresholds = MappingProxyType({"dangerous": 0.5})

        def score(self, text: str) -> Scores:
            return {"dangerous": 0.9 if "bomb" in text else 0.1}

    report, _ = await measured(Plan(ROWS, resamples=0), Some())

    figures = {each.category: each for each in report.sections[0].categories}
    assert figures["dangerous"].average_precision.value == 1
    assert figures["law"].negatives == 0
    assert figures["law"].default is None


def test_what_is_asked_is_taken_apart_again() -> None:
    wanted = asked(Plan(ROWS, partial=True, behind=True), 100)
    numbers = np.arange(len(wanted.passages), dtype=np.float64)[:, None]

    whole, cut, alone, before, hidden, around, *behind = wanted.parts(numbers)

    sizes = [len(part) for part in (whole, cut, alone, before, hidden, around)]
    assert sizes == [25, 48, 1, 2, 0, 0]
    made = (wanted.talks.harm, wanted.talks.clean, wanted.talks.after)
    assert [len(part) for part in behind] == [len(rows) for rows in made] == [12, 12, 12]
    assert wanted.passages[int(before[0, 0])].text == "despair"
    assert wanted.passages[int(alone[0, 0])].context == ""


def test_a_sample_is_the_same_whatever_else_there_is() -> None:
    chosen = sampled(ROWS, 3)
    more = [*ROWS, row("new", source="bad"), row("nuevo", source="bad", lang="es")]

    assert [sum(each.source == name for each in chosen) for name in ("bad", "good")] == [3, 3]
    assert chosen == [each for each in ROWS if each in chosen], "in their order"
    kept = [each for each in sampled(more, 3) if each in chosen]
    assert len(kept) >= len(chosen) - 1
    assert sampled(ROWS, 99) == ROWS


@pytest.mark.parametrize("covered", [V2_CATEGORIES, ("pii",)])
def test_default_guards_evaluate_what_is_covered(covered: tuple[str, ...]) -> None:
    guards = default_guards(dict.fromkeys(covered, 0.3), covered)

    assert guards.input == guards.output
    assert guards.input[0].thresholds == dict.fromkeys(covered, 0.3)
