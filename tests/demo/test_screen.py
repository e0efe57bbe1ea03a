from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from guardproxy.demo.screen import Screen, violated_first


def screen(width: int = 80) -> tuple[Screen, io.StringIO]:
    shown = io.StringIO()
    return Screen(Console(file=shown, width=width, color_system=None)), shown


def decision(score: float, threshold: float) -> dict[str, float | bool]:
    return {"threshold": threshold, "score": score, "violated": score > threshold}


@given(st.lists(st.text("ab [", max_size=12), max_size=20), st.integers(10, 40))
def test_pieces_come_out_as_the_text_they_make_whatever_the_cuts(
    pieces: list[str], width: int
) -> None:
    page, shown = screen(width)
    for piece in pieces:
        page.word(piece)
    page.end_of_words()

    assert shown.getvalue().split() == "".join(pieces).split()


def test_lines_break_between_words_and_are_indented() -> None:
    page, shown = screen(width=14)
    for piece in ("one", " two", " three", "", " four"):
        page.word(piece)
    page.end_of_words()

    assert shown.getvalue() == "   one two\n   three four\n"


def test_every_violated_category_is_shown_and_first() -> None:
    decisions = {name: decision(0.1, 0.5) for name in "abcdef"} | {
        name: decision(0.9, 0.5) for name in "wxyz"
    }
    page, shown = screen()

    page.results({"moderation_llm_v2": {"decisions": decisions, "action": "block"}})

    text = shown.getvalue()
    assert all(f'"{name}": {{' in text for name in "wxyz")
    assert "6 more, none violated" in text
    assert '"action": "block"' in text


def test_few_decisions_are_all_shown() -> None:
    page, shown = screen()

    page.results({"m": {"decisions": {"a": decision(0.1, 0.5)}}, "unscannable": {"kinds": []}})

    assert "more" not in shown.getvalue()


def test_violated_first_then_by_score() -> None:
    decisions = {"a": decision(0.6, 0.9), "b": decision(0.3, 0.2), "c": decision(0.7, 0.9)}

    assert [name for name, _ in violated_first(decisions)] == ["b", "c", "a"]


def test_without_a_terminal_there_are_no_escapes() -> None:
    page, shown = screen()
    page.step(1, "A [title]", "a [bold]question[/]")
    page.note("as it [must]", good=True)
    page.note("oh", good=False)
    page.line("plain", "bold red")

    text = shown.getvalue()
    assert "\x1b" not in text
    assert "A [title]" in text
    assert "a [bold]question[/]" in text
    assert "ok  as it [must]" in text
    assert "NOT AS EXPECTED" in text
