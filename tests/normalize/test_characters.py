from __future__ import annotations

import pytest

from guardproxy.normalize.characters import clean
from tests.normalize.disguises import tags


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (
            "a \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
            + tags("kill"),
            "kill",
        ),
        ("x\U000e007fy", "xy"),
        ("\U000e0041\U000e007f", "A"),
        ("hi\U000e01ef\U000e01ee", "hi"),  # bytes that are no text
        ("ki\x00ll", "kill"),
        ("\b\bkilm\bl", "kill"),
        ("k\u0336il\u0336l", "kill"),
    ],
)
def test_a_disguise_is_undone(text: str, seen: str) -> None:
    assert seen in clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "\u0250 and \u0254 and \u01dd in a text of many plain letters and words",
        "\u0430x \u0435y",
        "\U0001f1eb\U0001f1f7\U0001f1e9\U0001f1ea",
    ],
)
def test_what_only_resembles_a_disguise_stays(text: str) -> None:
    assert clean(text) == text
