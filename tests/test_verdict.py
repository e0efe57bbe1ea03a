"""What follows from scores is derived, so it cannot contradict itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.verdict import Action, CategoryDecision, GuardrailResult, Verdict

MEDIA = MediaPart(Role.USER, MediaKind.AUDIO, "messages[0].content[0]", 10)


def entry(
    *,
    score: float = 0.9,
    action: Action = Action.BLOCK,
    error: str | None = None,
    block_on_error: bool = False,
) -> GuardrailResult:
    decisions = {} if error else {"pii": CategoryDecision(0.5, score)}
    return GuardrailResult("moderation_llm_v2", "m", action, decisions, block_on_error, error)


@pytest.mark.parametrize(
    ("threshold", "score", "violated"),
    [(0.5, 0.5, False), (0.5, 0.51, True), (1.0, 1.0, False), (0.0, 0.0, False), (0.0, 1e-9, True)],
)
def test_violated_means_above_the_threshold(threshold: float, score: float, violated: bool) -> None:
    assert CategoryDecision(threshold, score).violated is violated


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_never_undoes_a_violation(threshold: float, a: float, b: float) -> None:
    low, high = sorted((a, b))

    assert CategoryDecision(threshold, low).violated <= CategoryDecision(threshold, high).violated


@pytest.mark.parametrize(
    ("result", "violated", "blocked"),
    [
        (entry(), True, True),
        (entry(score=0.1), False, False),
        (entry(action=Action.NONE), True, False),
        (entry(error="deadline"), False, False),
        (entry(error="deadline", block_on_error=True), False, True),
        (entry(error="deadline", block_on_error=True, action=Action.NONE), False, True),
    ],
)
def test_an_entry_blocks_by_its_action_or_by_its_failure(
    result: GuardrailResult, violated: bool, blocked: bool
) -> None:
    assert (result.violated, result.blocked) == (violated, blocked)
    assert result.action_taken is (Action.BLOCK if blocked else Action.NONE)


def test_nothing_said_nothing_blocked() -> None:
    verdict = Verdict()

    assert not verdict.blocked
    assert not verdict.violated
    assert not verdict.blocked_by_error
    assert verdict.error is None
    assert verdict.violated_categories == ()


def test_any_entry_can_block_the_operator_s_or_the_caller_s_x10() -> None:
    assert Verdict((entry(score=0.1), entry())).blocked
    assert Verdict((entry(score=0.1),), (entry(),)).blocked
    assert Verdict(blocked_media=(MEDIA,)).blocked
    assert not Verdict(flagged_media=(MEDIA,)).blocked


def test_blocked_by_error_means_by_nothing_else() -> None:
    failed = entry(error="overload", block_on_error=True)

    assert Verdict((failed,)).blocked_by_error
    assert Verdict((failed, entry(action=Action.NONE))).blocked_by_error
    assert not Verdict((failed, entry())).blocked_by_error
    assert not Verdict((failed,), blocked_media=(MEDIA,)).blocked_by_error
    assert not Verdict((entry(error="overload"),)).blocked_by_error


def test_the_first_failure_is_the_one_named() -> None:
    results = (entry(), entry(error="deadline"), entry(error="overload"))

    assert Verdict(results).error == "deadline"


def test_categories_are_named_once_and_in_order() -> None:
    law = GuardrailResult("v1", "m", Action.NONE, {"law": CategoryDecision(0.1, 0.2)})

    assert Verdict((entry(), law), (entry(),)).violated_categories == ("law", "pii")


@pytest.mark.parametrize(
    ("verdict", "clean"),
    [
        (Verdict(), True),
        (Verdict((entry(score=0.1),), (entry(score=0.5),)), True),
        (Verdict((entry(score=0.1),), (entry(),)), False),
        (Verdict((entry(action=Action.NONE),)), False),
        (Verdict((entry(error="error"),)), False),
        (Verdict(flagged_media=(MEDIA,)), False),
        (Verdict(blocked_media=(MEDIA,)), False),
    ],
)
def test_clean_is_what_has_nothing_to_tell(verdict: Verdict, *, clean: bool) -> None:
    assert verdict.clean is clean
    if clean:
        assert not any((verdict.blocked, verdict.violated, verdict.error))
