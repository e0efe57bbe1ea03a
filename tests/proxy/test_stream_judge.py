"""A beginning is blocked, waits or passes; what waits is not let go because the judge failed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guardproxy.content import MediaPart, Role, TextPart
from guardproxy.errors import ClassifierError
from guardproxy.guard import Guard, Guardrails
from guardproxy.policy.active import activate
from guardproxy.policy.load import load_policy_text
from guardproxy.proxy.stream_judge import StreamJudge
from guardproxy.stream_guard import Question
from guardproxy.verdict import Direction, Verdict
from tests.asgi import Listener
from tests.fakes import KeywordClassifier

WORDS = {"mild": {"dangerous": 0.7}, "bomb": {"dangerous": 0.99}}


def asked(*, partial: Sequence[str] = (), complete: Sequence[str] = ()) -> Question:
    """Texts of channels a, b, ...; finished ones come after."""
    names = iter("abcd")
    early, whole = (
        tuple(TextPart(Role.ASSISTANT, text, next(names)) for text in texts)
        for texts in (partial, complete)
    )
    return Question(whole, early, (), (), 0)


class Bench:
    """A judge of one stream whose classifier can be made to fail."""

    def __init__(self, *, block_on_error: bool = False, partial: float = 0.9) -> None:
        text = (
            f"name: x\ninput: []\noutput: [{{block_on_error: {str(block_on_error).lower()}, "
            "moderation_llm_v2: {action: block}}]\n"
            f"streaming: {{partial_thresholds: {{dangerous: {partial}}}}}\n"
        )
        self.classifier = KeywordClassifier(WORDS)
        policy = activate(load_policy_text(text, "x"), KeywordClassifier.default_thresholds)
        guard = Guard(self.classifier, deadline=9, observer=Listener())
        self.seen: list[Verdict] = []

        async def check(
            texts: Sequence[TextPart], guardrails: Guardrails, media: Sequence[MediaPart]
        ) -> Verdict:
            assert not media
            return await guard.check(texts, guardrails, Direction.OUTPUT)

        self.judge = StreamJudge(policy, check, self.seen.append)

    def fails(self) -> None:
        self.classifier.error = ClassifierError("it is gone")


@pytest.mark.parametrize(
    ("text", "blocked", "waits"),
    [("sunny", False, False), ("a mild word", False, True), ("a bomb", True, False)],
)
async def test_a_beginning_passes_waits_or_is_blocked(
    text: str, blocked: bool, waits: bool
) -> None:
    verdict, waiting = await Bench().judge(asked(partial=[text]))

    assert (verdict.blocked, waiting) == (blocked, waits)


async def test_a_beginning_that_is_blocked_is_told_as_the_policy_sees_it() -> None:
    bench = Bench()

    verdict, _ = await bench.judge(asked(partial=["a bomb"]))

    assert bench.seen == [verdict]
    assert verdict.results[0].decisions["dangerous"].threshold == 0.5


async def test_a_whole_text_never_waits() -> None:
    assert (await Bench().judge(asked(complete=["a mild word"]))).verdict.blocked


async def test_beside_a_beginning_that_waits_the_rest_is_judged() -> None:
    both = await Bench().judge(asked(partial=["a mild word"], complete=["sunny"]))
    blocked = await Bench().judge(asked(partial=["a mild word"], complete=["a mild word"]))

    assert (both.verdict.blocked, both.waits) == (False, True)
    assert blocked.verdict.blocked


async def test_where_no_beginning_is_blocked_its_scores_are_still_wanted() -> None:
    bench = Bench(partial=1)

    first = await bench.judge(asked(partial=["a bomb"]))

    assert (first.verdict.blocked, first.waits) == (False, True)
    assert len(bench.classifier.asked) == 1


@pytest.mark.parametrize("block_on_error", [True, False])
async def test_what_waits_is_not_let_go_because_the_judge_failed(block_on_error: bool) -> None:
    bench = Bench(block_on_error=block_on_error)
    assert (await bench.judge(asked(partial=["a mild word"]))).waits
    bench.fails()

    again = await bench.judge(asked(partial=["a mild word and more"]))
    end = await bench.judge(asked(complete=["a mild word and more"]))

    assert (again.verdict.blocked, again.waits) == (block_on_error, True)
    assert end.verdict.blocked
    assert end.verdict.error == ("error" if block_on_error else None)
    if not block_on_error:
        (found,) = bench.seen
        assert found.results[0].decisions["dangerous"].threshold == 0.5


async def test_what_never_waited_goes_on_unjudged_where_the_policy_says_so() -> None:
    bench = Bench()
    assert not (await bench.judge(asked(partial=["sunny"]))).waits
    bench.fails()

    early = await bench.judge(asked(partial=["sunny and"]))
    end = await bench.judge(asked(complete=["sunny and warm"]))

    assert (early.verdict.blocked, early.waits) == (False, False)
    assert (end.verdict.blocked, end.verdict.error) == (False, "error")


async def test_what_passed_after_all_is_forgotten() -> None:
    bench = Bench()
    assert (await bench.judge(asked(partial=["a mild word"]))).waits
    assert not (await bench.judge(asked(partial=["a word"]))).waits
    bench.fails()

    end = await bench.judge(asked(complete=["a word more"]))

    assert not end.verdict.blocked
