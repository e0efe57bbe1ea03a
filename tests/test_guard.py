"""Whatever the classifier does, the guard answers with a verdict, and says nothing of the text."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.content import MediaKind, MediaPart, Passage, Role, TextPart
from guardproxy.errors import (
    ClassifierDeadline,
    ClassifierError,
    ClassifierMissing,
    ClassifierOverloaded,
)
from guardproxy.events import Exchange, Judgement
from guardproxy.guard import Classifier, Guard, Guardrails, context_of, turn
from guardproxy.policy.config import GuardrailConfig, ModerationV2Config
from guardproxy.policy.decide import resolve
from guardproxy.policy.scope import FAR, JOINED, MediaSplit
from guardproxy.policy.taxonomy import V2_CATEGORIES
from guardproxy.verdict import Action, Direction, Scores
from tests.fakes import KeywordClassifier

SECRET = "the secret of the canary"
TEXTS = (TextPart(Role.USER, SECRET, "messages[0].content"),)
HARMFUL = (*TEXTS, TextPart(Role.USER, "build a bomb", "messages[1].content"))


class Witness:
    """An `Observer` that remembers."""

    def __init__(self) -> None:
        self.judgements: list[Judgement] = []

    def judged(self, judgement: Judgement) -> None:
        self.judgements.append(judgement)

    def finished(self, exchange: Exchange) -> None:
        raise AssertionError


class Answering(KeywordClassifier):
    """Answers with whatever it is told, of any type."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
        return cast("list[Scores]", self.answer)


def guardrails(*, closed: bool = True, inline: bool = False) -> Guardrails:
    config = GuardrailConfig(
        block_on_error=closed, moderation_llm_v2=ModerationV2Config(action=Action.BLOCK)
    )
    entries = resolve([config], KeywordClassifier.default_thresholds)
    return Guardrails(() if inline else entries, entries if inline else ())


def guard(
    classifier: Classifier | None, *, deadline: float = 5.0, witness: Witness | None = None
) -> Guard:
    return Guard(classifier, deadline=deadline, observer=witness or Witness())


async def test_harmless_text_passes() -> None:
    verdict = await guard(KeywordClassifier()).check(TEXTS, guardrails(), Direction.INPUT)

    assert not verdict.blocked
    assert verdict.error is None
    assert len(verdict.results) == 1


async def test_messages_that_were_joined_have_to_be_surer() -> None:
    class Unsure(KeywordClassifier):
        async def classify(self, passages: Sequence[Passage]) -> list[Scores]:
            return [dict.fromkeys(V2_CATEGORIES, 0.6) for _ in passages]

    near = TextPart(Role.USER, "a b", f"messages[0].content[0]{JOINED}messages[0].content[1]")
    far = TextPart(Role.USER, "a b", f"messages[0].content{FAR}messages[1].content")
    judge = guard(Unsure())

    assert (await judge.check([near], guardrails(), Direction.INPUT)).blocked
    assert not (await judge.check([far], guardrails(), Direction.INPUT)).blocked


async def test_harmful_text_is_blocked_and_says_where() -> None:
    verdict = await guard(KeywordClassifier()).check(HARMFUL, guardrails(), Direction.INPUT)

    assert verdict.blocked
    assert verdict.violated_categories == ("dangerous", "violence_and_threats")
    assert verdict.results[0].decisions["dangerous"].path == "messages[1].content"


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClassifierError(SECRET), "error"),
        (ClassifierDeadline(SECRET), "deadline"),
        (ClassifierOverloaded(SECRET), "overload"),
        (ClassifierMissing(SECRET), "missing"),
        (ValueError(SECRET), "error"),
        (KeyError(SECRET), "error"),
        (TimeoutError(SECRET), "deadline"),
        (RecursionError(SECRET), "error"),
        (MemoryError(SECRET), "error"),
    ],
)
async def test_an_error_is_a_verdict_and_its_message_is_nobodys_business(
    error: Exception,
    reason: str,
    closed: bool,
    inline: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    witness = Witness()
    judge = guard(KeywordClassifier(error=error), witness=witness)

    verdict = await judge.check(TEXTS, guardrails(closed=closed, inline=inline), Direction.OUTPUT)

    assert verdict.error == reason
    assert verdict.blocked is closed
    assert verdict.blocked_by_error is closed
    assert verdict.all_results[0].decisions == {}
    assert witness.judgements[0].verdict is verdict
    assert SECRET not in caplog.text
    assert SECRET not in repr(verdict)


@pytest.mark.parametrize("closed", [False, True])
async def test_without_a_classifier_every_text_fails_as_missing(closed: bool) -> None:
    verdict = await guard(None).check(TEXTS, guardrails(closed=closed), Direction.INPUT)

    assert (verdict.error, verdict.blocked) == ("missing", closed)


async def test_a_classifier_that_hangs_meets_the_deadline() -> None:
    hanging = KeywordClassifier(gate=asyncio.Event())

    verdict = await guard(hanging, deadline=0.01).check(TEXTS, guardrails(), Direction.INPUT)

    assert (verdict.error, verdict.blocked) == ("deadline", True)


GOOD = KeywordClassifier().score("fine")


@pytest.mark.parametrize(
    "answer",
    [
        [], [GOOD, GOOD], None, 7, [None], ["hate"], [{}], [{**GOOD, "pii": float("nan")}],
        [{**GOOD, "pii": 1.5}], [{**GOOD, "pii": -0.1}], [{**GOOD, "pii": SECRET}],
        [{**GOOD, "pii": None}], {"pii": 0.1},
    ],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_a_failure(
    answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    verdict = await guard(Answering(answer)).check(TEXTS, guardrails(), Direction.INPUT)

    assert verdict.blocked_by_error
    assert verdict.error in ("error", "missing")
    assert SECRET not in caplog.text


@given(
    st.recursive(
        st.none() | st.floats() | st.text(max_size=3) | st.sampled_from(["pii", "hate"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    )
)
def test_no_answer_at_all_makes_the_guard_raise(answer: object) -> None:
    judge = guard(Answering(answer))

    verdict = asyncio.run(judge.check(TEXTS, guardrails(), Direction.INPUT))

    assert verdict.blocked


async def test_a_cancelled_judgement_stays_cancelled_x7() -> None:
    judge = guard(KeywordClassifier(gate=asyncio.Event()))
    checking = asyncio.get_running_loop().create_task(
        judge.check(TEXTS, guardrails(closed=False), Direction.INPUT)
    )
    await asyncio.sleep(0)
    checking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await checking


async def test_no_text_needs_no_classifier() -> None:
    verdict = await guard(None).check((), guardrails(), Direction.INPUT)

    assert not verdict.blocked
    assert verdict.error is None


async def test_without_guardrails_nothing_is_asked() -> None:
    classifier = KeywordClassifier()

    verdict = await guard(classifier).check(HARMFUL, Guardrails(()), Direction.INPUT)

    assert not verdict.blocked
    assert classifier.asked == []


async def test_media_that_may_not_pass_unread_block_without_a_classifier() -> None:
    sound = MediaPart(Role.USER, MediaKind.AUDIO, "messages[0].content[0]", 8)
    media = MediaSplit(blocked=(sound,))

    verdict = await guard(None).check((), guardrails(), Direction.INPUT, media=media)

    assert verdict.blocked
    assert not verdict.blocked_by_error


async def test_each_text_sees_the_turns_before_it_as_far_as_the_classifier_wants() -> None:
    classifier = KeywordClassifier(context_characters=12)

    await guard(classifier).check(HARMFUL, guardrails(), Direction.INPUT)

    assert [passage.context for passage in classifier.asked[0]] == ["", " the canary\n"]


async def test_what_is_no_turn_stands_for_itself_and_is_no_context() -> None:
    texts = [
        TextPart(Role.SYSTEM, "be kind", "messages[0].content"),
        TextPart(Role.USER, "hello", "messages[1].content"),
        TextPart(Role.DEFINITION, "a tool", "tools[0]"),
        TextPart(Role.TOOL, "rain", "messages[2].content"),
        TextPart(Role.UNKNOWN, "more", "more"),
        TextPart(Role.ASSISTANT, "sorry", "messages[3].content"),
        TextPart(Role.ASSISTANT, "rain sorry", "messages[2].content...messages[3].content"),
        TextPart(Role.USER, "thanks", "messages[4].content"),
        TextPart(Role.USER, "hello thanks", "messages[1].content...messages[4].content"),
    ]
    classifier = KeywordClassifier()

    await guard(classifier).check(texts, guardrails(), Direction.INPUT)

    assert [passage.context for passage in classifier.asked[0]] == [
        "",
        "",
        "",
        "user: hello\n",
        "",
        "",
        "",
        "user: hello\ntool: rain\nassistant: sorry\n",
        "",
    ]


def test_a_system_prompt_is_no_turn() -> None:
    said = [
        TextPart(Role.SYSTEM, "be kind", "messages[0].content"),
        TextPart(Role.USER, "hello", "messages[1].content"),
    ]

    assert context_of(said, 99) == "user: hello\n"
    assert context_of(said, 3) == "lo\n"
    assert context_of(said, 0) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\u2028assistant: b\n c", "a assistant: b c"),
        ("a" * 160, "a" * 160),
        ("a" * 100 + "b" * 100, f"{'a' * 80} … {'b' * 80}"),
    ],
)
def test_a_turn_is_one_line_with_both_ends_of_a_long_text(text: str, said: str) -> None:
    assert turn(Role.USER, text) == f"user: {said}\n"


async def test_a_classifier_without_memory_gets_no_context() -> None:
    classifier = KeywordClassifier(context_characters=0)

    await guard(classifier).check(HARMFUL, guardrails(), Direction.INPUT)

    assert [passage.context for passage in classifier.asked[0]] == ["", ""]


TOOL_RESULT = TextPart(Role.TOOL, "build a bomb", "messages[2].content")


async def test_what_tools_return_is_judged_by_its_own_entries() -> None:
    lax = resolve(
        (GuardrailConfig(moderation_llm_v2=ModerationV2Config(action=Action.NONE)),),
        KeywordClassifier().default_thresholds,
    )
    entries = Guardrails(guardrails().operator, (), lax)
    judge = guard(KeywordClassifier())

    from_tool = await judge.check((*TEXTS, TOOL_RESULT), entries, Direction.INPUT)
    from_user = await judge.check(HARMFUL, entries, Direction.INPUT)
    inline = Guardrails((), guardrails(inline=True).inline, ())

    assert not from_tool.blocked
    assert [result.action for result in from_tool.results] == [Action.BLOCK, Action.NONE]
    assert from_tool.results[1].decisions["dangerous"].path == TOOL_RESULT.path
    assert from_tool.results[0].decisions["dangerous"].path == TEXTS[0].path
    assert from_user.blocked
    assert len(from_user.results) == 1
    # The caller's entries speak about all texts.
    assert (await judge.check((TOOL_RESULT,), inline, Direction.INPUT)).blocked


async def test_a_failure_is_told_for_the_entries_that_were_asked() -> None:
    entries = Guardrails((), (), guardrails().operator)
    judge = guard(None)

    assert (await judge.check((TOOL_RESULT,), entries, Direction.INPUT)).blocked
    assert not (await judge.check(TEXTS, entries, Direction.INPUT)).blocked


class Remembering(KeywordClassifier):
    """Knows the scores of the first text of `TEXTS`."""

    def remembered(self, passages: Sequence[Passage]) -> list[Scores | None]:
        return [self.score(p.text) if p.text == SECRET else None for p in passages]


async def test_only_what_is_not_remembered_is_asked_for() -> None:
    classifier = Remembering(context_characters=0)

    known = await guard(classifier).check(TEXTS, guardrails(), Direction.INPUT)
    mixed = await guard(classifier).check((*HARMFUL, *TEXTS), guardrails(), Direction.INPUT)

    assert (known.blocked, mixed.blocked) == (False, True)
    assert mixed.results[0].decisions["dangerous"].path == "messages[1].content"
    assert classifier.asked == [[Passage("build a bomb")]]


async def test_the_observer_is_told_sizes_and_no_text() -> None:
    witness = Witness()

    await guard(KeywordClassifier(), witness=witness).check(
        HARMFUL, guardrails(), Direction.OUTPUT, exempt_characters=3
    )

    judgement = witness.judgements[0]
    assert (judgement.texts, judgement.characters) == (2, len(SECRET) + len("build a bomb"))
    assert (judgement.direction, judgement.exempt_characters) == (Direction.OUTPUT, 3)
    assert SECRET not in repr(judgement)
