"""What is said across a change of channel."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.dialects.base import Piece
from guardproxy.dialects.seams import Seams
from guardproxy.dialects.unfolding import TAIL

CONTENT, REASONING = "choices[0].content", "choices[0].reasoning_content"


def seam(*pieces: tuple[str, str], speaker: str = "choices[0]") -> str:
    read = Seams().read(Piece(*piece) for piece in pieces)
    return "".join(piece.text for piece in read if piece.channel == f"{speaker}.seam")


def test_one_channel_alone_has_no_seam() -> None:
    assert seam((CONTENT, "It is "), (CONTENT, "sunny.")) == ""


def test_a_word_cut_between_reasoning_and_answer_is_whole() -> None:
    assert seam((REASONING, "then kil"), (CONTENT, "l th"), (CONTENT, "em")) == "\nthen kill them"


def test_a_seam_ends_where_the_channel_alone_shows_as_much() -> None:
    said = seam((REASONING, "r" * 1_000), (CONTENT, "c" * 1_000), (CONTENT, "c" * 1_000))

    assert said == "\n" + "r" * TAIL + "c" * TAIL


def test_a_later_change_begins_anew() -> None:
    said = seam((REASONING, "r"), (CONTENT, "c" * 1_000), (REASONING, "s"))

    assert said == "\nr" + "c" * TAIL + "\n" + "c" * TAIL + "s"


def test_choices_speak_for_themselves() -> None:
    assert seam((REASONING, "kil"), ("choices[1].content", "ling")) == ""


def test_arguments_of_tools_are_not_what_clients_show() -> None:
    assert seam((CONTENT, "kil"), ("choices[0].tool_calls[0].function.arguments", "ling")) == ""


@pytest.mark.parametrize(
    ("one", "other", "speaker"),
    [
        (CONTENT, "choices[0].audio.transcript", "choices[0]"),
        (CONTENT, "choices[0].delta", "choices[0]"),
        (CONTENT, "choices[0].message", "choices[0]"),
        ("output[0].content[0].output_text", "output[0].content[0].delta", "$"),
        ("output[0].content[0].output_text", "output[0].content[0].audio.transcript", "$"),
        ("$.audio.transcript", "$.delta", "$"),
        ("output[0].content[0].output_text", "$.output_text", "$"),
        ("output[0].content[0].output_text", "output[0].output_text", "$"),
        (
            "output[0].content[0].summary[0].reasoning_summary_text",
            "output[0].content[0].output_text",
            "$",
        ),
    ],
)
def test_a_word_cut_between_two_things_shown_is_whole(one: str, other: str, speaker: str) -> None:
    assert seam((one, "kil"), (other, "ling"), speaker=speaker) == "\nkilling"


def test_channels_without_a_speaker_are_one_answers() -> None:
    pieces = (("outputs[0].content", "kil"), ("outputs[1].content", "ling"))

    assert seam(*pieces, speaker="$") == "\nkilling"


def test_who_speaks_can_be_told() -> None:
    seams = Seams(lambda channel: channel[:1])

    assert seams.after(Piece("a1", "kil")) is None
    assert seams.after(Piece("b1", "x")) is None
    assert seams.after(Piece("a2", "ling")) == Piece("a.seam", "\nkilling")


@given(st.lists(st.tuples(st.sampled_from([CONTENT, REASONING]), st.text(max_size=400))))
def test_the_pieces_stay_and_the_work_is_linear(pieces: list[tuple[str, str]]) -> None:
    read = list(Seams().read(Piece(*piece) for piece in pieces))

    assert [(each.channel, each.text) for each in read if "seam" not in each.channel] == pieces
    said = sum(len(text) for _, text in pieces)
    added = sum(len(each.text) for each in read if "seam" in each.channel)
    assert added <= 2 * said + len(pieces)


@given(st.lists(st.sampled_from([CONTENT, REASONING]), min_size=2, max_size=20), st.integers())
def test_any_two_neighbours_are_read_together(channels: list[str], seed: int) -> None:
    pieces = [(channel, f"<{number}.{seed}>") for number, channel in enumerate(channels)]
    said = seam(*pieces)

    for (before, left), (after, right) in pairwise(pieces):
        assert before == after or left + right in said
