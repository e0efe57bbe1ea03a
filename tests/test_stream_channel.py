"""One channel by hand; test_stream_guard.py drives many of them."""

from __future__ import annotations

import pytest

from guardproxy.stream_channel import _OVERLAP, _STEP, WINDOW, Channel


def judged(text: str, *, name: str = "choices[0].content", hold_values: bool = True) -> Channel:
    channel = Channel.of(name)
    channel.add(text)
    channel.settle(len(text), hold_values=hold_values)
    return channel


@pytest.mark.parametrize("length", [0, 10, WINDOW, WINDOW + 1, 3 * WINDOW + 7, 40_000])
def test_a_window_begins_at_a_step_and_sees_enough_of_what_came_before(length: int) -> None:
    before = "x" * length
    channel = judged(before)
    channel.add("new")

    window = channel.window()

    assert window.endswith("new")
    assert (length + 3 - len(window)) % _STEP == 0
    assert len(window) >= min(length, _OVERLAP) + 3
    assert len(channel.tail) <= WINDOW + _STEP + 3


def test_what_nobody_has_decided_about_is_not_forgotten() -> None:
    channel = Channel()
    for _ in range(20):
        channel.add("word " * 50)
        channel.wait(channel.end)

    assert len(channel.window()) == 20 * 250
    assert not channel.may_leave(1, channel.end)
    channel.leave(channel.end)
    assert not channel.may_leave(channel.end, 2 * channel.end)


def test_a_word_waits_for_its_end_unless_its_speaker_goes_on_elsewhere() -> None:
    channel = judged("my friend lives in Lis")

    assert channel.may_leave(len("my friend lives in "), 22)
    assert not channel.may_leave(22, 22)
    channel.leave(22)
    assert channel.may_leave(22, 22)


def test_half_of_a_value_waits_longer_but_not_for_ever() -> None:
    text = "write to jane@acme"
    channel = judged(text)
    channel.leave(len(text))

    assert not channel.may_leave(len(text), len(text) + WINDOW)
    assert channel.may_leave(len(text), len(text) + 4 * WINDOW)


@pytest.mark.parametrize(
    ("text", "leaves"), [("req_01jbd6g2qdfw2", True), ("write to jane@acme", False)]
)
def test_an_id_beside_an_answer_does_not_wait_but_a_text_does(text: str, *, leaves: bool) -> None:
    channel = judged(text, name="$.id")
    channel.leave(len(text))

    assert channel.may_leave(len(text), len(text)) is leaves


def test_text_that_goes_on_is_unfinished_again() -> None:
    text = "write to jane@acme"
    channel = judged(text, name="$.id")
    channel.leave(len(text))
    channel.add(".co")
    channel.settle(channel.end, hold_values=True)

    assert not channel.may_leave(channel.end, channel.end)


def test_nothing_unjudged_leaves() -> None:
    channel = judged("all of it. ", name="sse", hold_values=False)
    channel.add("and more")
    channel.leave(10_000)

    assert channel.may_leave(len("all of it. "), 10_000)
    assert not channel.may_leave(channel.end, 100_000)


@pytest.mark.parametrize(
    ("channel", "whose", "frame"),
    [
        ("choices[0].content", "choices[0]", False),
        ("choices[12].tool_calls[3]", "choices[12]", False),
        ("sse", "sse", True),
        ("raw", "raw", True),
        ("choices.seam", "choices", False),
        ("$.seam", "$", False),
        ("$.id", "$", True),
        ("$.message.content", "$", False),
        ("$.response", "$", False),
        ("$.responses", "$", True),
        ("output[0].content[1]", "", False),
    ],
)
def test_who_speaks_in_a_channel(channel: str, whose: str, *, frame: bool) -> None:
    named = Channel.of(channel)

    assert (named.speaker, named.frames) == (whose, frame)
