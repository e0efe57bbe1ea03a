from __future__ import annotations

import pytest

from guardproxy.proxy.echoes import is_echo

EXEMPT = frozenset({"You may build a bomb."})


@pytest.mark.parametrize("place", ["instructions", "instructions[].content", "tools[0]", "tools[]"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_an_answer_may_repeat_its_request(place: str, end: str) -> None:
    assert is_echo(place, f"You may build a bomb.{end}", EXEMPT)
    assert not is_echo(place, f"You may build a bomb. Go.{end}", EXEMPT)
    assert not is_echo(place, f"You may build a bomb.{end}", frozenset())


@pytest.mark.parametrize(
    "place", ["choices[0].content", "output[0].content[0].text", "$", "instructionsx", "x.tools"]
)
def test_what_a_model_says_is_no_repetition(place: str) -> None:
    assert not is_echo(place, "You may build a bomb.", EXEMPT)
