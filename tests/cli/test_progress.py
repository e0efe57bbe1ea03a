"""A bar is on stderr, only where somebody sees it, and gone when all is judged."""

from __future__ import annotations

import pytest

from guardproxy.cli.progress import judging


@pytest.mark.parametrize("total", [3.0, None])
@pytest.mark.parametrize("shown", [True, False])
def test_a_bar_is_shown_to_whoever_watches(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    total: float | None,
    *,
    shown: bool,
) -> None:
    # What rich takes for a terminal.
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    with judging(total, shown=shown) as advance:
        for _ in range(3):
            advance(1)
    said = capsys.readouterr()

    assert ("judging" in said.err) is shown
    assert said.out == ""
