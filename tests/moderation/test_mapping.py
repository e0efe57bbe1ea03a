from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.moderation import Categories, CategoryAppliedInputTypes, CategoryScores

from guardproxy.errors import ClassifierError, ClassifierMissing, PolicyError
from guardproxy.moderation.mapping import (
    OPENAI_OMNI,
    OPENAI_TEXT,
    OPENAI_UNMAPPED,
    Judged,
    VendorKey,
    default_guardrails,
    judge,
    read_as,
)
from guardproxy.policy.taxonomy import V1_CATEGORIES, V2_CATEGORIES

HALF = dict.fromkeys(V2_CATEGORIES, 0.5)
GUARDRAILS = default_guardrails(HALF)

probabilities = st.floats(0, 1)
scores = st.fixed_dictionaries(dict.fromkeys(V2_CATEGORIES, probabilities))
keys = st.sampled_from(OPENAI_OMNI)


def judged(**given: float) -> Judged:
    return judge(GUARDRAILS, dict.fromkeys(V2_CATEGORIES, 0.0) | given)


def test_every_source_is_a_category_of_ours() -> None:
    used = {ours for row in OPENAI_OMNI for group in row.all_of for ours in group}

    assert used | set(OPENAI_UNMAPPED) == set(V2_CATEGORIES)
    assert not used & set(OPENAI_UNMAPPED)


def test_openai_keys_are_those_of_the_sdk() -> None:
    for model in (Categories, CategoryAppliedInputTypes, CategoryScores):
        known = {field.alias or name for name, field in model.model_fields.items()}

        assert {row.key for row in OPENAI_OMNI} == known


def test_text_keys_are_eleven_and_without_illicit() -> None:
    assert len(OPENAI_OMNI) == 13
    assert len(OPENAI_TEXT) == 11
    assert {row.key for row in OPENAI_OMNI} - {row.key for row in OPENAI_TEXT} == {
        "illicit",
        "illicit/violent",
    }


@given(keys, scores, st.sampled_from(V2_CATEGORIES), probabilities)
def test_raising_a_score_never_lowers_or_clears_a_key(
    row: VendorKey, before: dict[str, float], category: str, higher: float
) -> None:
    after = before | {category: max(before[category], higher)}

    low = read_as([row], judge(GUARDRAILS, before))[row.key]
    high = read_as([row], judge(GUARDRAILS, after))[row.key]

    assert high.score >= low.score
    assert high.flagged >= low.flagged


@given(scores)
def test_a_narrower_key_is_never_above_its_wider_one(given_scores: dict[str, float]) -> None:
    found = read_as(OPENAI_OMNI, judge(GUARDRAILS, given_scores))

    for key, narrow in found.items():
        wide = found[key.split("/")[0]]

        assert narrow.score <= wide.score
        assert narrow.flagged <= wide.flagged


@given(scores)
def test_a_score_is_always_one_of_ours(given_scores: dict[str, float]) -> None:
    found = read_as(OPENAI_OMNI, judge(GUARDRAILS, given_scores))

    assert {score.score for score in found.values()} <= set(given_scores.values())


@pytest.mark.parametrize(
    ("given_scores", "flagged"),
    [
        ({}, set()),
        ({"hate_and_discrimination": 0.6}, {"hate", "harassment"}),
        (
            {"hate_and_discrimination": 0.6, "violence_and_threats": 0.6},
            {
                "hate",
                "harassment",
                "hate/threatening",
                "harassment/threatening",
                "violence",
                "violence/graphic",
            },
        ),
        ({"dangerous": 0.6}, {"illicit"}),
        ({"criminal": 0.6}, {"illicit"}),
        ({"sexual": 0.6}, {"sexual"}),
        ({"sexual": 0.6, "criminal": 0.6}, {"sexual", "sexual/minors", "illicit"}),
        ({"selfharm": 0.6}, {"self-harm", "self-harm/intent", "self-harm/instructions"}),
        ({"pii": 1.0, "law": 1.0, "jailbreaking": 1.0, "health": 1.0, "financial": 1.0}, set()),
    ],
)
def test_keys_follow_from_our_categories(given_scores: dict[str, float], flagged: set[str]) -> None:
    found = read_as(OPENAI_OMNI, judged(**given_scores))

    assert {key for key, score in found.items() if score.flagged} == flagged


def test_flagged_is_decided_source_by_source() -> None:
    # Each alternative has its own threshold: a score between the two flags only where it is above.
    guardrails = default_guardrails(HALF | {"criminal": 0.9, "dangerous": 0.3})
    nothing = dict.fromkeys(V2_CATEGORIES, 0.0)

    dangerous = read_as(OPENAI_OMNI, judge(guardrails, nothing | {"dangerous": 0.6}))
    criminal = read_as(OPENAI_OMNI, judge(guardrails, nothing | {"criminal": 0.6}))

    assert dangerous["illicit"].flagged
    assert not criminal["illicit"].flagged


def test_both_vintages_are_judged() -> None:
    found = judged(criminal=0.6, jailbreaking=0.6)

    assert tuple(found.v1) == V1_CATEGORIES
    assert tuple(found.v2) == V2_CATEGORIES
    assert found.v1["dangerous_and_criminal_content"].violated
    assert found.v2["jailbreaking"].violated


def test_a_rule_reads_as_a_formula() -> None:
    rules = {row.key: row.rule for row in OPENAI_OMNI}

    assert rules["sexual"] == "sexual"
    assert rules["illicit"] == "max(criminal, dangerous)"
    assert rules["illicit/violent"] == "min(max(criminal, dangerous), violence_and_threats)"


def test_a_missing_default_threshold_is_an_error_at_start() -> None:
    with pytest.raises(PolicyError, match="pii"):
        default_guardrails({key: 0.5 for key in V2_CATEGORIES if key != "pii"})


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1])
def test_a_score_that_is_no_probability_is_no_answer(score: float) -> None:
    with pytest.raises(ClassifierError):
        judged(pii=score)


def test_a_missing_score_is_no_answer() -> None:
    with pytest.raises(ClassifierMissing):
        judge(GUARDRAILS, {"pii": 0.1})
