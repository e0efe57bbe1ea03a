from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.errors import ClassifierError, ClassifierMissing, PolicyError
from guardproxy.policy.config import GuardrailConfig
from guardproxy.policy.decide import (
    DOUBT,
    Guardrail,
    decide,
    decide_without_scores,
    doubted,
    raise_thresholds,
    resolve,
    unique_names,
    would_block,
)
from guardproxy.policy.taxonomy import V1_CATEGORIES, V1_SOURCES, V2_CATEGORIES
from guardproxy.verdict import Action, GuardrailResult, Scores

DEFAULTS = dict.fromkeys(V2_CATEGORIES, 0.5)
ZERO = dict.fromkeys(V2_CATEGORIES, 0.0)


def entry(
    version: str = "v2", *, block_on_error: bool = False, **config: object
) -> GuardrailConfig:
    return GuardrailConfig.model_validate(
        {"block_on_error": block_on_error, f"moderation_llm_{version}": config}
    )


def only(version: str = "v2", action: str = "block", **thresholds: float | None) -> GuardrailConfig:
    return entry(
        version,
        action=action,
        ignore_other_categories=True,
        custom_category_thresholds=thresholds,
    )


def scores(**given: float) -> dict[str, float]:
    return ZERO | given


# resolve


def test_an_entry_evaluates_all_categories_of_its_version_in_schema_order() -> None:
    v2, v1 = resolve([entry("v2"), entry("v1")], DEFAULTS)

    assert (tuple(v2.thresholds), v2.version, v2.name) == (V2_CATEGORIES, 2, "moderation_llm_v2")
    assert (tuple(v1.thresholds), v1.version, v1.name) == (V1_CATEGORIES, 1, "moderation_llm_v1")
    assert (v2.model_name, v1.model_name) == ("mistral-moderation-2603", "mistral-moderation-2411")


def test_a_given_threshold_replaces_the_default_and_null_does_not() -> None:
    (guardrail,) = resolve(
        [entry(custom_category_thresholds={"law": 0.2, "pii": None, "health": 0})], DEFAULTS
    )

    assert guardrail.thresholds == DEFAULTS | {"law": 0.2, "health": 0.0}


def test_ignoring_others_evaluates_only_given_categories() -> None:
    (guardrail,) = resolve([only(pii=0.3, law=None)], {})

    assert guardrail.thresholds == {"pii": 0.3}


def test_an_entry_with_both_versions_gives_two_of_the_same_place() -> None:
    both = GuardrailConfig.model_validate(
        {"block_on_error": True, "moderation_llm_v2": {}, "moderation_llm_v1": {"action": "block"}}
    )

    guardrails = resolve([entry(), both], DEFAULTS)

    assert [(g.version, g.entry, g.action, g.block_on_error) for g in guardrails] == [
        (2, 0, Action.NONE, False),
        (1, 1, Action.BLOCK, True),
        (2, 1, Action.NONE, True),
    ]


def test_v1_danger_and_crime_takes_its_own_default_or_the_higher_of_its_sources() -> None:
    defaults = DEFAULTS | {"dangerous": 0.3, "criminal": 0.8}

    (derived,) = resolve([entry("v1")], defaults)
    (own,) = resolve([entry("v1")], defaults | {"dangerous_and_criminal_content": 0.7})

    assert derived.thresholds["dangerous_and_criminal_content"] == 0.8
    assert own.thresholds["dangerous_and_criminal_content"] == 0.7


@pytest.mark.parametrize(
    ("version", "missing", "key"),
    [
        ("v2", "law", "law"),
        ("v1", "law", "law"),
        ("v1", "criminal", "dangerous_and_criminal_content"),
    ],
)
def test_a_category_without_threshold_and_default_is_refused(
    version: str, missing: str, key: str
) -> None:
    defaults = {category: 0.5 for category in V2_CATEGORIES if category != missing}

    with pytest.raises(PolicyError, match="no default threshold") as caught:
        resolve([entry(version)], defaults)

    assert caught.value.key == key


# decide


def test_a_score_above_its_threshold_is_violated_and_one_at_it_is_not() -> None:
    guardrails = resolve([only(law=0.5, pii=0.5)], {})

    (result,) = decide(guardrails, [("a", scores(law=0.5, pii=math.nextafter(0.5, 1)))])

    assert not result.decisions["law"].violated
    assert result.decisions["pii"].violated
    assert result.blocked


def test_a_threshold_of_one_is_never_violated() -> None:
    (result,) = decide(resolve([only(pii=1)], {}), [("a", scores(pii=1.0))])

    assert not result.violated


def test_each_category_takes_its_highest_score_and_where_it_stood() -> None:
    judged = [
        ("messages[0].content", scores(law=0.9, pii=0.1)),
        ("messages[1].content", scores(law=0.2, pii=0.4)),
    ]

    (result,) = decide(resolve([entry()], DEFAULTS), judged)

    assert (result.decisions["law"].score, result.decisions["law"].path) == (
        0.9,
        "messages[0].content",
    )
    assert (result.decisions["pii"].score, result.decisions["pii"].path) == (
        0.4,
        "messages[1].content",
    )
    assert result.decisions["health"].path == "messages[0].content"


def test_v1_reads_danger_and_crime_from_the_higher_source() -> None:
    judged = [("a", scores(dangerous=0.6)), ("b", scores(criminal=0.7, jailbreaking=1.0))]

    (result,) = decide(resolve([entry("v1")], DEFAULTS), judged)

    decision = result.decisions["dangerous_and_criminal_content"]
    assert (decision.score, decision.path) == (0.7, "b")
    assert "jailbreaking" not in result.decisions


def test_no_texts_leave_every_score_at_zero() -> None:
    (result,) = decide(resolve([entry(action="block")], DEFAULTS), [])

    assert {(d.score, d.path) for d in result.decisions.values()} == {(0.0, "")}
    assert not result.violated


def test_a_missing_score_is_an_error_only_if_its_category_is_evaluated() -> None:
    without_law = {category: 0.1 for category in V2_CATEGORIES if category != "law"}

    assert decide(resolve([only(pii=0.5)], {}), [("a", without_law)])
    with pytest.raises(ClassifierMissing, match="law"):
        decide(resolve([only(law=0.5)], {}), [("a", without_law)])


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1, 1.1])
def test_a_score_that_is_no_probability_is_an_error_not_a_pass(score: float) -> None:
    with pytest.raises(ClassifierError, match=r"outside 0\.\.1"):
        decide(resolve([only(pii=0.5)], {}), [("a", scores(pii=score))])


def test_without_scores_each_entry_says_why_and_blocks_if_told_so() -> None:
    guardrails = resolve(
        [entry(block_on_error=True), entry(block_on_error=False, action="block")], DEFAULTS
    )

    closed, opened = decide_without_scores(guardrails, "deadline")

    assert (closed.error, closed.blocked, closed.decisions) == ("deadline", True, {})
    assert (opened.error, opened.blocked, opened.action) == ("deadline", False, Action.BLOCK)


# raise_thresholds


def test_partial_thresholds_only_raise_and_only_what_is_evaluated() -> None:
    guardrails = resolve(
        [only(pii=0.5, law=0.9), only("v1", dangerous_and_criminal_content=0.4)], {}
    )

    v2, v1 = raise_thresholds(
        guardrails, {"pii": 0.8, "law": 0.2, "health": 0.9, "dangerous": 0.6, "criminal": 0.7}
    )

    assert v2.thresholds == {"pii": 0.8, "law": 0.9}
    assert v1.thresholds == {"dangerous_and_criminal_content": 0.7}


def test_nothing_waits_for_what_does_not_block() -> None:
    guardrails = resolve([only(action="none", pii=0.5)], {})

    raised = raise_thresholds(guardrails, {"pii": 0.8})

    assert raised == guardrails
    assert not would_block(decide(raised, [("", {"pii": 0.7})]), guardrails)


@pytest.mark.parametrize(("score", "waits"), [(0.5, False), (0.51, True), (0.8, True)])
def test_what_is_above_the_policys_own_threshold_alone_is_undecided(
    score: float, waits: bool
) -> None:
    guardrails = resolve([only(pii=0.5)], {})
    results = decide(raise_thresholds(guardrails, {"pii": 0.8}), [("", {"pii": score})])

    assert not any(result.blocked for result in results)
    assert would_block(results, guardrails) is waits


def test_what_was_not_judged_is_not_undecided() -> None:
    guardrails = resolve([only(pii=0.5)], {})

    assert not would_block(decide_without_scores(guardrails, "deadline"), guardrails)
    assert not would_block((), guardrails)


def test_without_partial_thresholds_nothing_changes() -> None:
    guardrails = resolve([entry(), entry("v1")], DEFAULTS)

    assert raise_thresholds(guardrails, {}) == guardrails


# unique_names


def test_what_was_joined_has_to_be_surer() -> None:
    doubt = doubted({"a": 0.0, "b": 0.5, "c": 0.9, "d": 1.0})

    assert doubt == pytest.approx({"a": 0.0, "b": 0.378, "c": 0.845, "d": 1.0}, abs=0.001)


NOWHERE = 1 + 1 / (math.exp(DOUBT) - 1)
"""Where what doubt divides by is nothing."""


@pytest.mark.parametrize("score", [math.nan, -0.5, 1.2, 1.9, NOWHERE, 2.6, math.inf])
def test_doubt_makes_no_probability_of_what_is_none(score: float) -> None:
    (entry,) = resolve([only(selfharm=0.5)], {})
    with pytest.raises((ClassifierError, ZeroDivisionError)):
        decide([entry], [("a", doubted({"selfharm": score}))])


def test_results_of_one_name_are_numbered_from_the_second_on() -> None:
    guardrails = resolve([entry(), entry("v1"), entry(), entry()], DEFAULTS)

    assert unique_names(decide(guardrails, [])) == (
        "moderation_llm_v2",
        "moderation_llm_v1",
        "moderation_llm_v2#2",
        "moderation_llm_v2#3",
    )


# properties

probabilities = st.floats(0.0, 1.0)
v2_scores = st.fixed_dictionaries(dict.fromkeys(V2_CATEGORIES, probabilities))
texts = st.lists(v2_scores, max_size=4).map(
    lambda many: [(f"messages[{i}].content", one) for i, one in enumerate(many)]
)


@st.composite
def configs(draw: st.DrawFn) -> GuardrailConfig:
    version, known = draw(st.sampled_from([("v1", V1_CATEGORIES), ("v2", V2_CATEGORIES)]))
    thresholds = draw(
        st.none() | st.dictionaries(st.sampled_from(known), st.none() | probabilities, max_size=5)
    )
    given = any(threshold is not None for threshold in (thresholds or {}).values())
    return entry(
        version,
        block_on_error=draw(st.booleans()),
        action=draw(st.sampled_from(["none", "block"])),
        ignore_other_categories=given and draw(st.booleans()),
        custom_category_thresholds=thresholds,
    )


guardrail_lists = st.lists(configs(), max_size=3).map(lambda many: resolve(many, DEFAULTS))


def blocked(results: Sequence[GuardrailResult]) -> list[bool]:
    return [result.blocked for result in results]


@given(guardrail_lists, texts, st.data())
def test_raising_a_score_never_unblocks(
    guardrails: tuple[Guardrail, ...],
    judged: list[tuple[str, Mapping[str, float]]],
    data: st.DataObject,
) -> None:
    raised = [
        (path, {c: data.draw(st.floats(score, 1.0)) for c, score in one.items()})
        for path, one in judged
    ]

    before, after = blocked(decide(guardrails, judged)), blocked(decide(guardrails, raised))

    assert all(now for was, now in zip(before, after, strict=True) if was)


@given(guardrail_lists, texts, st.data())
def test_lowering_a_threshold_never_unblocks(
    guardrails: tuple[Guardrail, ...],
    judged: list[tuple[str, Mapping[str, float]]],
    data: st.DataObject,
) -> None:
    partial = data.draw(st.dictionaries(st.sampled_from(V2_CATEGORIES), probabilities))
    raised = raise_thresholds(guardrails, partial)

    high, low = blocked(decide(raised, judged)), blocked(decide(guardrails, judged))

    assert all(
        guardrail.thresholds[category] >= before.thresholds[category]
        for guardrail, before in zip(raised, guardrails, strict=True)
        for category in guardrail.thresholds
    )
    assert all(now for was, now in zip(high, low, strict=True) if was)
    assert any(low) is (any(high) or would_block(decide(raised, judged), guardrails))


@given(guardrail_lists, texts, st.randoms(use_true_random=False))
def test_the_order_of_texts_does_not_matter(
    guardrails: tuple[Guardrail, ...], judged: list[tuple[str, Mapping[str, float]]], random: Random
) -> None:
    shuffled = list(judged)
    random.shuffle(shuffled)

    def seen(results: tuple[GuardrailResult, ...]) -> list[object]:
        return [
            (r.blocked, {c: (d.threshold, d.score) for c, d in r.decisions.items()})
            for r in results
        ]

    assert seen(decide(guardrails, judged)) == seen(decide(guardrails, shuffled))


@given(guardrail_lists, texts)
def test_action_none_never_blocks_and_block_on_error_matters_only_on_error(
    guardrails: tuple[Guardrail, ...], judged: list[tuple[str, Mapping[str, float]]]
) -> None:
    for guardrail, result in zip(guardrails, decide(guardrails, judged), strict=True):
        assert result.error is None
        assert result.blocked == (result.violated and guardrail.action is Action.BLOCK)

    for guardrail, result in zip(
        guardrails, decide_without_scores(guardrails, "error"), strict=True
    ):
        assert result.blocked == guardrail.block_on_error


@given(texts)
def test_v1_blocks_what_v2_blocks_with_the_same_thresholds(
    judged: list[tuple[str, Mapping[str, float]]],
) -> None:
    shared = dict.fromkeys(V1_CATEGORIES, 0.5)
    v2_only = {source: 0.5 for sources in V1_SOURCES.values() for source in sources}

    v1, v2 = decide(
        resolve([only("v1", "block", **shared), only("v2", "block", **v2_only)], {}), judged
    )

    assert v1.blocked == v2.blocked


_ODD = st.sampled_from([math.nan, -0.1, 1.1, math.inf])
_PROBABILITIES = st.sampled_from([0, 0.0, 0.25, 0.5, 1, 1.0])


@given(
    st.lists(
        st.fixed_dictionaries({"law": _PROBABILITIES, "pii": _PROBABILITIES | _ODD}), max_size=5
    )
)
def test_peaks_are_those_of_looking_at_one_score_after_the_other(rows: list[Scores]) -> None:
    judged = [(f"messages[{at}]", row) for at, row in enumerate(rows)]
    guardrails = resolve([only(law=0.3, pii=0.3)], {})
    if all(0 <= row["pii"] <= 1 for row in rows):
        (result,) = decide(guardrails, judged)
        for category in ("law", "pii"):
            expected = max(
                ((float(row[category]), path) for path, row in judged),
                key=lambda peak: peak[0],
                default=(0.0, ""),
            )
            assert result.decisions[category][1:] == expected
    else:
        with pytest.raises(ClassifierError, match="pii"):
            decide(guardrails, judged)
