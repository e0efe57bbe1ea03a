from __future__ import annotations

import logging

import pytest

from guardproxy.events import Exchange, Judgement, Observer
from guardproxy.telemetry.observers import Observers
from tests.telemetry.samples import CANARY, exchange, judgement, result


class Recorder:
    def __init__(self) -> None:
        self.seen: list[Judgement | Exchange] = []

    def judged(self, judgement: Judgement) -> None:
        self.seen.append(judgement)

    def finished(self, exchange: Exchange) -> None:
        self.seen.append(exchange)


class Broken:
    def judged(self, judgement: Judgement) -> None:
        raise ValueError(CANARY)

    def finished(self, exchange: Exchange) -> None:
        raise ValueError(CANARY)


def test_each_observer_is_told_in_turn() -> None:
    first, second = Recorder(), Recorder()
    observer: Observer = Observers(first, second)
    judged, finished = judgement(result(pii=0.9)), exchange()

    observer.judged(judged)
    observer.finished(finished)

    assert first.seen == second.seen == [judged, finished]


def test_a_broken_observer_hurts_nobody_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    last = Recorder()
    observers = Observers(Broken(), last)

    with caplog.at_level(logging.ERROR, "guardproxy.observers"):
        for _ in range(3):
            observers.judged(judgement(result(pii=0.9)))
            observers.finished(exchange())

    assert len(last.seen) == 6
    assert [record.getMessage() for record in caplog.records] == [
        "Broken.judged failed",
        "Broken.finished failed",
    ]
