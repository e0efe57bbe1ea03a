from __future__ import annotations

import pytest

from guardproxy.content import Role
from guardproxy.verdict import Direction
from tests.evals.samples import row, turns


@pytest.mark.parametrize(
    ("role", "direction", "said_by"),
    [
        ("user", Direction.INPUT, Role.USER),
        ("none", Direction.INPUT, Role.USER),
        ("assistant", Direction.OUTPUT, Role.ASSISTANT),
    ],
)
def test_an_answer_is_judged_as_an_answer(role: str, direction: Direction, said_by: Role) -> None:
    labelled = row("well", role=role, context=turns("hello"))

    assert labelled.direction is direction
    assert [part.role for part in labelled.conversation] == [Role.USER, said_by]
    assert labelled.conversation[-1].text == "well"
    assert labelled.conversation[-1].path == "messages[1].content"
