from __future__ import annotations

import pytest

from guardproxy.verdict import Direction
from tests.evals.samples import row


@pytest.mark.parametrize(
    ("role", "direction"),
    [
        ("user", Direction.INPUT),
        ("none", Direction.INPUT),
        ("assistant", Direction.OUTPUT),
    ],
)
def test_an_answer_is_judged_as_an_answer(role: str, direction: Direction) -> None:
    assert row("well", role=role).direction is direction
