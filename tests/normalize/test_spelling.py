from __future__ import annotations

import pytest

from guardproxy.normalize.spelling import respell


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("t0 k1ll is h4rd 5th", "to kill is hard 5th"),
    ],
)
def test_a_disguise_is_undone(text: str, seen: str) -> None:
    assert seen in respell(text)


@pytest.mark.parametrize(
    "text",
    [
        "we saw the a b c d e f of it",
    ],
)
def test_what_only_resembles_a_disguise_stays(text: str) -> None:
    assert respell(text) == text
