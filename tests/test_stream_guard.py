"""What passes goes out in order, once, and never before it was judged."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from guardproxy.content import MediaKind, MediaPart, Role
from guardproxy.errors import StreamError
from guardproxy.stream_channel import _OVERLAP, _STEP, WINDOW
from guardproxy.stream_guard import Question, StreamGuard
from guardproxy.unfinished import LONGEST_HEADER, LONGEST_VALUE, unfinished_value
from guardproxy.verdict import StreamMode
from tests.profiles import examples

CONTENT, REASONING, OTHER = "choices[0].content", "choices[0].reasoning", "choices[1].content"
CHANNELS = (CONTENT, REASONING, OTHER, "$.source")
PICTURE = MediaPart(Role.ASSISTANT, MediaKind.IMAGE, "choices[0]", 10)
LONG = st.integers(0, 1_500).map(lambda size: "word " * (size // 5))
TEXTS = st.text("ab 1+@.é\n", max_size=12) | LONG
PIECES = st.lists(st.tuples(st.sampled_from(CHANNELS), TEXTS), max_size=3)


class AnyStream(RuleBasedStateMachine):
    """Feeds, asks, judges and releases at random moments, and remembers what was shown to whom."""

    @initialize(mode=st.sampled_from(StreamMode), hold_values=st.booleans(), partial=st.booleans())
    def begin(self, mode: StreamMode, hold_values: bool, partial: bool) -> None:
        self.mode, self.partial = mode, partial
        self.guard = StreamGuard(mode, hold_values=hold_values, partial=partial)
        self.said = dict.fromkeys(CHANNELS, "")
        self.passed = dict.fromkeys(CHANNELS, 0)
        self.media_said = self.media_shown = 0
        self.waiting: list[tuple[bytes, dict[str, int], int, dict[str, int]]] = []
        self.asked: Question | None = None
        self.characters_shown = 0
        self.questions = 0
        self.ended = False

    @precondition(lambda self: not self.ended)
    @rule(pieces=PIECES, pictures=st.integers(0, 1), finished=st.sampled_from([(), (), (0,), (1,)]))
    def hold(self, pieces: list[tuple[str, str]], pictures: int, finished: tuple[int, ...]) -> None:
        closing = bool(finished)
        raw = b"event %d" % len(self.waiting)
        for name, text in pieces:
            self.said[name] += text
        self.media_said += pictures
        ends = {name: len(self.said[name]) for name, _ in pieces}
        # Whoever takes an answer for whole has heard nothing that was not judged.
        before = {name: len(text) for name, text in self.said.items()} if closing else {}
        self.waiting.append((raw, ends, self.media_said, before))
        self.guard.hold(raw, pieces, media=[PICTURE] * pictures, finished=finished, closing=closing)

    @precondition(lambda self: self.asked is None)
    @rule()
    def ask(self) -> None:
        self.asked = self.guard.question()
        if self.asked is None:
            return
        self.questions += 1
        assert self.partial or not self.asked.partial
        assert not (self.ended and self.asked.partial)
        parts = {part.path: part.text for part in (*self.asked.complete, *self.asked.partial)}
        assert parts.keys() == dict(self.asked.covers).keys()
        for name, covered in self.asked.covers:
            text = parts[name]
            assert covered == len(self.said[name])
            assert self.said[name].endswith(text)
            # A gap before what is judged would never be decided about.
            assert covered - len(text) <= max(0, self.passed[name] - _OVERLAP)
            self.characters_shown += len(text)
        assert self.asked.media_end == self.media_said
        assert len(self.asked.media) == self.media_said - self.media_shown

    @precondition(lambda self: self.asked is not None)
    @rule(waits=st.booleans())
    def judge(self, waits: bool) -> None:
        assert self.asked is not None
        waiting = {part.path for part in self.asked.partial} if waits else set()
        if waiting:
            self.guard.waits(self.asked)
        else:
            self.guard.passed(self.asked)
        self.passed |= {n: covered for n, covered in self.asked.covers if n not in waiting}
        self.media_shown = self.asked.media_end
        self.asked = None

    @rule()
    def release(self) -> None:
        for event in self.guard.release():
            raw, ends, media, before = self.waiting.pop(0)
            assert event.raw == raw
            assert all(self.passed[name] >= end for name, end in before.items())
            assert self.media_shown >= media or not before
            if self.mode is not StreamMode.LIVE:
                assert all(self.passed[name] >= end for name, end in ends.items())
                assert self.media_shown >= media
            if self.mode is StreamMode.BUFFER:
                assert self.ended

    @rule()
    def end(self) -> None:
        self.guard.end()
        self.ended = True

    @invariant()
    def memory_is_bounded(self) -> None:
        if not hasattr(self, "guard") or self.mode is StreamMode.BUFFER:
            return
        for channel in self.guard._channels.values():
            held = len(channel.tail) + sum(map(len, channel.new))
            unjudged = channel.end - channel.judged
            assert held <= 2 * WINDOW + max(unjudged, 1_500)

    def teardown(self) -> None:
        if not hasattr(self, "guard"):
            return
        if self.asked is not None:
            self.judge(waits=False)
        self.end()
        self.ask()
        while self.asked is not None:
            self.judge(waits=True)
            self.ask()
        self.release()
        assert not self.waiting
        assert self.guard.held_bytes == 0
        assert self.guard.unjudged == 0
        assert all(len(text) == self.passed[name] for name, text in self.said.items())


TestAnyStream = AnyStream.TestCase
TestAnyStream.settings = settings(max_examples=examples(150), stateful_step_count=40)


def run(guard: StreamGuard, pieces: list[str], channel: str = CONTENT) -> list[int]:
    """Feeds pieces one by one, each judged at once; characters that have left after each."""
    left, gone = [], 0
    for piece in pieces:
        guard.hold(piece.encode(), [(channel, piece)])
        if (question := guard.question()) is not None:
            guard.passed(question)
        gone += sum(len(event.raw.decode()) for event in guard.release())
        left.append(gone)
    return left


def cut(draw: st.DrawFn, text: str) -> list[str]:
    places = draw(st.lists(st.integers(1, len(text)), max_size=12, unique=True))
    return [text[a:b] for a, b in pairwise(sorted({0, len(text), *places}))]


def phone_numbers() -> list[str]:
    formats = (
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
        phonenumbers.PhoneNumberFormat.NATIONAL,
        phonenumbers.PhoneNumberFormat.E164,
    )
    examples = [phonenumbers.example_number(region) for region in phonenumbers.SUPPORTED_REGIONS]
    return sorted(
        {
            phonenumbers.format_number(number, form)
            for number in examples
            if number
            for form in formats
        }
    )


VALUES = (
    "anna.schmidt+news@mail.beispiel.de",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "3714\u00a0496353\u00a098431",
    "DE89 3704 0044 0532 0130 00",
    "GB29 NWBK 6016 1331 9268 19",
    "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-" + "Ab3dEf6h" * 14,
    "+49 (0) 30 / 1234 5678",
    "030 12345678",
    "+33\u202f6\u202f12\u202f34\u202f56\u202f78",
    "\uff0b49 30 1234567",
    "078-05-1120",
    "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    *phone_numbers(),
)


@settings(max_examples=examples(1_000))
@given(data=st.data(), value=st.sampled_from(VALUES))
def test_no_beginning_of_a_value_leaves_while_it_grows(data: st.DataObject, value: str) -> None:
    before = data.draw(st.sampled_from(["", "Write to ", "In 2024, call\n", "a" * 1_200 + " "]))
    after = data.draw(st.sampled_from([" please", "; thanks", ", or so it is said", "\nBye"]))
    text = before + value + after
    pieces = data.draw(st.composite(lambda draw: cut(draw, text))())
    start, end = len(before), len(before) + len(value)

    left = run(StreamGuard(StreamMode.HOLD, hold_values=True), pieces)

    fed = 0
    for piece, gone in zip(pieces, left, strict=True):
        fed += len(piece)
        assert gone <= start or fed > end, (text[:fed], gone)


@pytest.mark.parametrize("character", ["a", "界", "."])
def test_what_is_longer_than_any_value_is_let_go(character: str) -> None:
    left = run(StreamGuard(StreamMode.HOLD, hold_values=True), [character] * 1_000)

    assert left[-1] == 1_000 - LONGEST_VALUE


@pytest.mark.parametrize("before", ["It is ", "x" * 1_300 + " ", '{"token":"', "a" * 300 + "="])
@pytest.mark.parametrize("step", [1, 7, 60])
def test_the_header_of_a_token_is_held_until_its_claims_can_be_told(before: str, step: int) -> None:
    token = "eyJ" + "Ab3dEf6h" * 55 + ".eyJ" + "Ab3dEf6h" * 3
    text = before + token
    pieces = [text[at : at + step] for at in range(0, len(text), step)]

    left = run(StreamGuard(StreamMode.HOLD, hold_values=True), pieces)

    assert left[-1] <= len(before)


@pytest.mark.parametrize("text", ["eyJ" * 400, "eyJ" + "a" * 2_000])
def test_what_has_no_claims_is_let_go(text: str) -> None:
    pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
    left = run(StreamGuard(StreamMode.HOLD, hold_values=True), pieces)

    assert left[-1] >= len(text) - LONGEST_HEADER


def test_a_full_stop_of_a_script_without_spaces_ends_a_value() -> None:
    assert run(StreamGuard(StreamMode.HOLD, hold_values=True), ["你好", "世界。"])[-1] == 5


@pytest.mark.parametrize("partial", [False, True])
def test_memory_and_work_grow_with_the_answer_alone(partial: bool) -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=partial)
    shown = most = 0
    for number in range(10_000):
        text = f"{number:05} " + "lorem ipsum dolor sit amet, consectetur " * 2 + "adipiscing eli"
        guard.hold(text.encode(), [(CONTENT, text)])
        question = guard.question()
        assert question is not None
        shown += sum(len(part.text) for part in (*question.complete, *question.partial))
        guard.passed(question)
        guard.release()
        most = max(most, len(guard._channels[CONTENT].tail))

    assert most <= 2 * WINDOW
    assert shown <= 1_000_000 * 2 * WINDOW / 100


def test_a_beginning_without_text_waits_for_the_first_judgement() -> None:
    guard = StreamGuard(StreamMode.HOLD)
    guard.hold(b"role", [])

    assert guard.question() is None
    assert guard.release() == []


def test_a_stream_without_text_leaves_at_its_end() -> None:
    guard = StreamGuard(StreamMode.HOLD)
    guard.hold(b"role", [])
    guard.end()

    assert [event.raw for event in guard.release()] == [b"role"]


def test_the_last_word_of_a_channel_leaves_when_its_choice_goes_on_elsewhere() -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["So I think."], REASONING) == [0]
    assert run(guard, ["It is "], CONTENT) == [17]


SPLIT = [
    ("The key is sk-proj-abcDEF1234", "567890abcdefghij"),
    ("Your card is 4111 1111 ", "1111 1111"),
    ("Write to marie.dupont@ora", "nge.fr"),
    ("Write to marie.dupont@orange.", "fr"),
    ("Pay to DE89 3704 00", "44 0532 0130 00"),
    ('{"to": "marie@ora', 'nge.fr"}'),
]
WHOLE = [
    "So I think.", "The answer is 42", "In 2024 it was 1,234", "See https://docs.acme.io/v2/api",
    '{"to": "marie@orange.fr"}', "Call 12345678.", "gpt-5-mini", "On 2026-09-09.\n",
]  # fmt: skip


@pytest.mark.parametrize(("beginning", "rest"), SPLIT)
def test_half_a_value_waits_while_another_channel_speaks(beginning: str, rest: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)
    start = unfinished_value(beginning)

    assert run(guard, [beginning[:-start], beginning[-start:]])[-1] == len(beginning) - start
    assert run(guard, ["hm ", "and so on "], REASONING)[-1] == 0
    guard.hold(b"stop", [], finished=(0,))
    assert guard.release() == []
    # Where it goes on, it is judged whole.
    guard.hold(rest.encode(), [(CONTENT, rest)])
    question = guard.question()
    assert question is not None
    assert beginning[-start:] + rest in question.complete[0].text


@pytest.mark.parametrize("channel", ["sse", "$.fingerprint", "$.x_groq.id", "raw"])
def test_an_id_in_the_frame_is_no_half_of_a_value(channel: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["req_01jbd6g2qdfw2adyrt2az8hz4w"], channel) == [30]
    assert run(guard, ["It is "], CONTENT) == [6]


@pytest.mark.parametrize("channel", ["sse.joined", "$.note", "raw.joined"])
@pytest.mark.parametrize(("beginning", "rest"), SPLIT[:-1])
def test_half_a_value_in_a_text_beside_the_answer_waits(
    channel: str, beginning: str, rest: str
) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, [beginning], channel) == [0]
    assert run(guard, ["It is ", "sunny. "], CONTENT) == [0, 0]
    guard.hold(rest.encode(), [(channel, rest)])
    question = guard.question()
    assert question is not None
    assert beginning + rest in question.complete[0].text


def test_the_answer_is_no_frame_where_its_name_is_like_one() -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["4111 1111 "], "$.message.content") == [0]
    assert run(guard, ["hm "], "$.message.thinking") == [0]


@pytest.mark.parametrize("text", WHOLE)
def test_what_looks_like_no_half_of_a_value_leaves(text: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)
    run(guard, [text])

    run(guard, ["It is "], REASONING)

    assert guard._events == deque()


@pytest.mark.parametrize(("beginning", "_"), SPLIT)
def test_half_a_value_does_not_wait_forever(beginning: str, _: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)
    run(guard, [beginning])

    said = run(guard, ["It is sunny. "] * 400, REASONING)

    assert said[100] == 0
    assert said[-1] > 5_000


def test_another_choice_does_not_end_a_value() -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["anna@exam"], CONTENT) == [0]
    assert run(guard, ["It is "], OTHER) == [0]
    assert run(guard, ["ple.org "], CONTENT) == [23]


def test_the_last_word_of_a_block_leaves_when_the_next_one_begins() -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["Sunny."], "content[0].text") == [0]
    assert run(guard, ["get "], "content[1].name") == [10]


@pytest.mark.parametrize("channel", ["sse", "$.usage", "raw"])
def test_what_frames_an_answer_does_not_end_a_value(channel: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["anna@exam"], "content[0].text") == [0]
    assert run(guard, ["ping "], channel) == [0]


@pytest.mark.parametrize("channel", ["sse", "$.provider", "raw"])
def test_what_frames_an_answer_does_not_hold_it_back(channel: str) -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)

    assert run(guard, ["PROCESSING"], channel) == [10]
    assert run(guard, ["It is "], CONTENT) == [6]


def test_the_last_word_of_a_choice_leaves_when_it_ends() -> None:
    guard = StreamGuard(StreamMode.HOLD, hold_values=True)
    run(guard, ["sunny"])
    guard.hold(b"stop", [], finished=(0,))

    assert [event.raw for event in guard.release()] == [b"sunny", b"stop"]


def undecided(guard: StreamGuard, text: str, channel: str = CONTENT) -> Question:
    """The guard has heard a beginning that looks bad, but not as bad as a beginning must."""
    guard.hold(text.encode(), [(channel, text)])
    question = guard.question()
    assert question is not None
    assert question.partial
    guard.waits(question)
    return question


def test_a_beginning_waits_for_what_follows() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "I will kill ")

    assert guard.question() is None
    assert guard.release() == []
    assert run(guard, ["the process."]) == [24]


def test_a_beginning_that_fills_a_window_is_none() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "a" * (WINDOW - 10))
    guard.hold(b"", [(CONTENT, "b" * 10)])

    question = guard.question()

    assert question is not None
    assert not question.partial
    assert [part.text for part in question.complete] == ["a" * (WINDOW - 10) + "b" * 10]


@pytest.mark.parametrize(
    ("pieces", "finished"), [([(REASONING, "So.")], ()), ([], (0,)), ([(REASONING, "")], (0,))]
)
def test_a_text_whose_speaker_goes_on_elsewhere_or_ends_is_no_beginning(
    pieces: list[tuple[str, str]], finished: tuple[int, ...]
) -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "It is sunny.")
    guard.hold(b"x", pieces, finished=finished)

    question = guard.question()

    assert question is not None
    assert [part.text for part in question.complete] == ["It is sunny."]


def test_a_text_goes_on_while_another_choice_speaks() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "It is sunny.")
    guard.hold(b"x", [(OTHER, "So.")])

    question = guard.question()

    assert question is not None
    assert [part.text for part in (*question.partial, *question.complete)] == ["So."]
    guard.passed(question)
    assert guard.release() == []


def test_a_beginning_with_a_megabyte_behind_it_is_none() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "It is sunny.")
    guard.hold(bytes(900_000), [])
    assert guard.question() is None
    guard.hold(bytes(200_000), [])

    question = guard.question()

    assert question is not None
    assert [part.text for part in question.complete] == ["It is sunny."]


def test_the_end_of_an_answer_ends_every_beginning() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    undecided(guard, "It is sunny.")
    guard.end()

    last = guard.question()

    assert last is not None
    assert [part.text for part in last.complete] == ["It is sunny."]
    assert guard.release() == []
    guard.passed(last)
    assert guard.question() is None
    assert len(guard.release()) == 1


def test_what_passed_is_not_judged_again_at_the_end() -> None:
    guard = StreamGuard(StreamMode.HOLD, partial=True)
    assert run(guard, ["It is sunny."]) == [12]
    guard.hold(b"stop", [], finished=(0,), closing=True)
    guard.end()

    assert guard.question() is None
    assert [event.raw for event in guard.release()] == [b"stop"]


def test_a_stream_with_too_many_channels_is_refused() -> None:
    guard = StreamGuard(StreamMode.HOLD)

    with pytest.raises(StreamError, match="channels"):
        guard.hold(b"x", [(f"$.{number}", "x") for number in range(1_000)])


def test_in_live_mode_the_end_waits_for_the_verdict_on_what_came_before() -> None:
    guard = StreamGuard(StreamMode.LIVE)
    guard.hold(b"x", [(CONTENT, "It is sunny.")])
    first = guard.question()
    assert first is not None
    guard.hold(b"y", [(CONTENT, " Or not.")])
    guard.hold(b"stop", [], closing=True)
    guard.hold(b"usage", [])
    guard.end()

    assert [event.raw for event in guard.release()] == [b"x", b"y"]
    guard.passed(first)
    assert guard.release() == []
    second = guard.question()
    assert second is not None
    guard.passed(second)
    assert [event.raw for event in guard.release()] == [b"stop", b"usage"]


def test_the_end_of_one_choice_does_not_wait_for_what_another_says_later() -> None:
    guard = StreamGuard(StreamMode.LIVE)
    guard.hold(b"x", [(CONTENT, "It is sunny.")])
    guard.hold(b"stop", [], finished=(0,), closing=True)
    first = guard.question()
    assert first is not None
    guard.hold(b"y", [(OTHER, "It rains.")])
    guard.passed(first)

    assert [event.raw for event in guard.release()] == [b"x", b"stop", b"y"]


@pytest.mark.parametrize("mode", [StreamMode.HOLD, StreamMode.LIVE])
def test_the_end_waits_while_a_beginning_is_undecided(mode: StreamMode) -> None:
    guard = StreamGuard(mode, partial=True)
    undecided(guard, "It is sunny.")
    guard.hold(b"stop", [], closing=True)

    left = [event.raw for event in guard.release()]

    assert left == ([b"It is sunny."] if mode is StreamMode.LIVE else [])
    guard.end()
    last = guard.question()
    assert last is not None
    assert guard.release() == []
    guard.passed(last)
    assert [event.raw for event in guard.release()][-1] == b"stop"


def test_what_waits_for_a_judgement_is_counted_in_live_mode_too() -> None:
    guard = StreamGuard(StreamMode.LIVE)
    guard.hold(b"x", [(CONTENT, "It is sunny.")])

    assert len(guard.release()) == 1
    assert (guard.held_bytes, guard.unjudged) == (0, 12)


def test_a_channel_keeps_what_may_be_held_of_it() -> None:
    assert LONGEST_VALUE <= LONGEST_HEADER <= _STEP
