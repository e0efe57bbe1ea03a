"""What an exchange is remembered by: never as passed when it was not judged, never with text."""

from __future__ import annotations

import pytest

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.events import Exchange, Outcome
from guardproxy.proxy.trail import Trail, trail_of
from guardproxy.verdict import Action, CategoryDecision, Direction, GuardrailResult, Verdict
from tests.asgi import http_scope


def result(
    score: float = 0.1, *, action: Action = Action.BLOCK, error: str | None = None, **more: bool
) -> GuardrailResult:
    decisions = {} if error else {"dangerous": CategoryDecision(0.5, score)}
    return GuardrailResult("moderation_llm_v2", "m", action, decisions, error=error, **more)


def after(*verdicts: Verdict, allowed: tuple[MediaPart, ...] = ()) -> Trail:
    trail = Trail("id", 1.0)
    for verdict in verdicts:
        trail.saw(verdict, Direction.OUTPUT, allowed)
    return trail


IMAGE = MediaPart(Role.USER, MediaKind.IMAGE, "$", 100)
AUDIO = MediaPart(Role.USER, MediaKind.AUDIO, "$", 7)


def test_what_passed_leaves_nothing_behind() -> None:
    trail = after(Verdict((result(),)))

    assert (trail.outcome, trail.code, trail.categories) == (Outcome.PASSED, "", set())
    assert (trail.direction, trail.unjudged, trail.flagged) == (None, None, False)


def test_a_block_says_where_and_why() -> None:
    trail = after(Verdict((result(0.9),)))

    assert (trail.outcome, trail.direction) == (Outcome.BLOCKED, Direction.OUTPUT)
    assert (trail.code, trail.categories) == ("guardrail_blocked", {"dangerous"})


def test_a_block_by_failure_is_told_from_one_by_content() -> None:
    trail = after(Verdict((result(error="deadline", block_on_error=True),)))

    assert (trail.outcome, trail.code) == (Outcome.BLOCKED, "guardrail_error")


def test_a_failure_that_lets_pass_is_remembered_over_later_successes() -> None:
    trail = after(Verdict((result(error="overload"),)), Verdict((result(),)))

    assert (trail.outcome, trail.unjudged) == (Outcome.PASSED, "overload")


def test_a_violation_that_is_only_reported_is_remembered() -> None:
    trail = after(Verdict((result(0.9, action=Action.NONE),)))

    assert (trail.outcome, trail.categories) == (Outcome.PASSED, {"dangerous"})


@pytest.mark.parametrize(
    ("flagged", "allowed", "size", "mark"),
    [((IMAGE,), (), 100, True), ((), (AUDIO,), 7, False), ((IMAGE,), (AUDIO,), 107, True)],
)
def test_bytes_that_go_on_unread_are_counted_flagged_or_allowed(
    flagged: tuple[MediaPart, ...], allowed: tuple[MediaPart, ...], size: int, *, mark: bool
) -> None:
    trail = after(Verdict((result(),), flagged_media=flagged), allowed=allowed)

    assert (trail.unscanned_bytes, trail.flagged) == (size, mark)


def test_bytes_that_are_blocked_went_nowhere() -> None:
    trail = after(Verdict(blocked_media=(AUDIO,), flagged_media=(IMAGE,)), allowed=(IMAGE,))

    assert trail.unscanned_bytes == 0


def test_it_becomes_an_exchange() -> None:
    trail = after(Verdict((result(0.9, action=Action.NONE),)))
    trail.route, trail.status, trail.request_bytes = "/v1/models", 200, 5

    assert trail.over("GET", 3.5) == Exchange(
        request_id="id",
        method="GET",
        route="/v1/models",
        status=200,
        outcome=Outcome.PASSED,
        seconds=2.5,
        categories=("dangerous",),
        request_bytes=5,
    )


def test_it_is_found_where_it_was_put() -> None:
    scope, trail = http_scope(), Trail("id", 1.0)
    trail.put(scope)

    assert trail_of(scope) is trail
