from __future__ import annotations

from bench import turns
from tests.processes import ROOT


def test_two_checkouts_are_asked_as_often() -> None:
    found = turns.compare([ROOT, ROOT], callers=2, rounds=2, seconds=0.2, options=[])

    assert len(found) == 2
    for asked in found:
        rate, cpu, p50, idle = asked.row()
        assert min(rate, cpu, p50) > 0
        assert idle >= 0
        assert len(asked.rates) == 2


def test_one_caller_is_held_against_the_model_alone() -> None:
    floor = turns.beside_the_floor(rounds=2, seconds=0.3)

    assert len(floor.times) == 2
    assert min(floor.times) > 0
