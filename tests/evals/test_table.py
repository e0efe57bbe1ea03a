"""Labels and scores of unions, and what a policy says, are what the rows say."""

from __future__ import annotations

import numpy as np
import pytest

from guardproxy.evals.table import ANY_HARM, COLUMNS, UNKNOWN, Guards, evaluated, flags, table
from guardproxy.policy.config import GuardrailConfig, ModerationV1Config, ModerationV2Config
from guardproxy.policy.decide import resolve
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Action
from tests.evals.samples import CLEAN, HALF, guards, row, scores_of, table_of

HARM_NEGATIVES = {
    "sexual": 0, "hate_and_discrimination": 0, "violence_and_threats": 0,
    "dangerous": 0, "criminal": 0, "selfharm": 0,
}  # fmt: skip


def label(labels: dict[str, int], column: str) -> int:
    seen = table_of([row(labels=labels)], scores_of({}))
    return int(seen.labels[0, COLUMNS.index(column)])


@pytest.mark.parametrize(
    ("labels", "union"),
    [
        ({}, UNKNOWN),
        ({"dangerous": 0}, UNKNOWN),
        ({"dangerous": 1}, 1),
        ({"dangerous": 0, "criminal": 0}, 0),
        ({"dangerous": 0, "criminal": 1}, 1),
        ({"dangerous_or_criminal": 1, "dangerous": 0}, 1),
        ({"dangerous_or_criminal": 0}, 0),
    ],
)
def test_dangerous_or_criminal_is_as_known_as_its_parts(labels: dict[str, int], union: int) -> None:
    assert label(labels, "dangerous_or_criminal") == union


@pytest.mark.parametrize(
    ("labels", "harm"),
    [
        ({}, UNKNOWN),
        ({"benign": 0}, UNKNOWN),
        ({"benign": 1}, 0),
        (dict(CLEAN), 0),
        (HARM_NEGATIVES, 0),
        (HARM_NEGATIVES | {"jailbreaking": 1}, 0),
        ({"health": 1, "benign": 0}, UNKNOWN),
        ({"sexual": 1}, 1),
        ({"dangerous_or_criminal": 1}, 1),
    ],
)
def test_any_harm_is_known_where_somebody_judged_it(labels: dict[str, int], harm: int) -> None:
    assert label(labels, ANY_HARM) == harm


def test_a_union_has_the_highest_score_of_its_parts() -> None:
    seen = table_of([row()], scores_of({"criminal": 0.7, "jailbreaking": 0.9, "health": 0.8}))

    assert seen.scores[0, COLUMNS.index("dangerous_or_criminal")] == 0.7
    assert seen.scores[0, COLUMNS.index(ANY_HARM)] == 0.7


def test_a_category_without_a_score_is_not_known() -> None:
    scores = scores_of({}, {})
    scores[:, V2_CATEGORIES.index("pii")] = np.nan
    rows = [row(), row(labels={"sexual": 1})]
    own = guards()
    some = Guards(*(evaluated(own.input, ["sexual"]) for _ in range(2)))

    seen = table(rows, scores, default=some, policy=some)

    assert not seen.known("pii").any()
    assert seen.known("sexual").tolist() == [True, True]
    assert seen.known("law").tolist() == [True, False]


def test_flags_are_those_of_decide_in_the_rows_direction() -> None:
    strict = resolve(
        (GuardrailConfig(moderation_llm_v2=ModerationV2Config(action=Action.BLOCK)),), HALF
    )
    off = ModerationV2Config(custom_category_thresholds={"pii": 1.0, "law": 0.0})
    lax = resolve((GuardrailConfig(moderation_llm_v2=off),), HALF)
    rows = [row(role="user"), row(role="assistant")]

    found = flags(rows, scores_of({"pii": 0.6}, {"pii": 0.6}), Guards(strict, lax))

    pii, law = COLUMNS.index("pii"), COLUMNS.index("law")
    assert found.blocked.tolist() == [True, False]
    assert found.violated[:, pii].tolist() == [True, False]
    assert found.violated[:, law].tolist() == [False, True]
    assert found.judged[:, pii].tolist() == [True, False]
    assert found.found_something.tolist() == [True, True]


def test_the_merged_category_of_v1_is_the_union() -> None:
    merged = ModerationV1Config(
        custom_category_thresholds={"dangerous_and_criminal_content": 0.5},
        ignore_other_categories=True,
    )
    one = resolve((GuardrailConfig(moderation_llm_v1=merged),), HALF)

    found = flags([row()], scores_of({"criminal": 0.6}), Guards(one, one))

    named = [column for column, is_so in zip(COLUMNS, found.violated[0], strict=True) if is_so]
    assert named == ["dangerous_or_criminal", ANY_HARM]


def test_a_v1_category_needs_all_its_sources() -> None:
    both = resolve((GuardrailConfig(moderation_llm_v1=ModerationV1Config()),), HALF)

    (one,) = evaluated(both, ["sexual", "dangerous"])

    assert list(one.thresholds) == ["sexual"]
