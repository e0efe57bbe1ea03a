"""What tags and selectors carry is text again; what only stands in a flag or an emoji is none."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.normalize.carriers import reveal
from tests.normalize.disguises import selectors, tags

ENGLAND = f"\U0001f3f4{tags('gbeng')}\U000e007f"
FILLERS = st.text(
    "\u200b\u200d\ufe0f\U000e0001\U000e007f\U0001f600\u2764\u845b\U000e0100a .", max_size=5
)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (f"a {ENGLAND}{tags('kill')}", "kill"),
        ("x\U000e007fy", "xy"),
        ("\U000e0041\U000e007f", "A"),
        ("hi\U000e01ef\U000e01ee", "hi"),  # bytes that are no text
        ("a\U000e01ef" + selectors("kill") + "\U000e01c0\U000e01ee b", "kill"),
        ("\u2764\ufe0f \U0001f3f4" + tags("kill") + "\U000e007f", "kill"),
        ("\U0001f3f4" + tags("usca") + "\U000e007f", "usca"),
        (selectors("\u0443\u0431\u0438\u0442\u044c"), "\u0443\u0431\u0438\u0442\u044c"),
        (selectors(tags("kill")), "kill"),
    ],
)
def test_what_is_carried_is_read(text: str, seen: str) -> None:
    assert seen in reveal(text)


@pytest.mark.parametrize("text", [f"{ENGLAND} \u2764\ufe0f \u845b\U000e0100", "plain", ""])
def test_what_carries_nothing_stays(text: str) -> None:
    assert reveal(text) == text


@given(st.lists(FILLERS, min_size=8, max_size=8), st.sampled_from([tags, selectors]))
def test_whatever_stands_between_carriers_they_are_one_text(
    between: list[str], hide: Callable[[str], str]
) -> None:
    carried = "".join(map("".join, zip(map(hide, "kill now"), between, strict=True)))

    assert "killnow" in "".join(reveal(f"so {carried}").split())
