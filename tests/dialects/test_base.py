from __future__ import annotations

import pytest

from guardproxy.dialects.base import Fault


@pytest.mark.parametrize(
    ("param", "message", "told"),
    [
        ("messages", "must be a list", "messages: must be a list"),
        ("guardrails[0]", "guardrails[0] must be a mapping", "guardrails[0] must be a mapping"),
        ("n", "not a whole number", "n: not a whole number"),
        ("", "must be a list", "must be a list"),
        (None, "must be a list", "must be a list"),
    ],
)
def test_a_fault_is_told_with_its_place_once(param: str | None, message: str, told: str) -> None:
    assert Fault(400, message, "kind", param, "code").told == told
