"""Every room is measured on every kind of text, and a hold is seen."""

from __future__ import annotations

import re

import pytest

from bench import holds


def test_every_room_has_a_row_for_every_kind_of_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["holds", "--characters", "2000", "--rounds", "1"])

    holds.main()

    _, _, *rows = capsys.readouterr().out.splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert {(room, kind) for room, kind, _, _ in cells} == {
        (room, kind)
        for room in ("parse", "normalise", "recognise", "tokenise")
        for kind in ("prose", "mark-up", "accents", "Chinese")
    }
    assert all(re.fullmatch(r"\d+\.\d", longest) for _, _, longest, _ in cells)


def test_a_call_that_does_not_let_go_is_a_hold() -> None:
    text = "a" * 30

    # Backtracks through all of it, in one call of the engine.
    longest, lasted = holds.hold(lambda: re.fullmatch("(a|aa)*b", text))

    assert longest > 0.5 * lasted
