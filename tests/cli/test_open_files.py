"""As many open files as the requests in progress may need, or a word that they are too few."""

from __future__ import annotations

import logging
import resource

import pytest

from guardproxy.cli.open_files import allow_open_files

UNBOUNDED = resource.RLIM_INFINITY


class System:
    """A system with these bounds; `refusing` has others besides."""

    def __init__(
        self, patch: pytest.MonkeyPatch, soft: int, hard: int, *, refusing: bool = False
    ) -> None:
        self.soft, self.hard, self.refusing = soft, hard, refusing
        patch.setattr(resource, "getrlimit", lambda _: (self.soft, self.hard))
        patch.setattr(resource, "setrlimit", self.set)

    def set(self, kind: int, bounds: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        assert bounds[1] == self.hard
        if self.refusing:
            raise ValueError("not allowed to raise maximum limit")
        self.soft = bounds[0]


@pytest.mark.parametrize(
    ("soft", "hard", "then"),
    [
        (1_024, 1_048_576, 4_256),
        (1_024, UNBOUNDED, 4_256),
        (1_024, 3_000, 3_000),
        (20_000, 20_000, 20_000),
        (UNBOUNDED, UNBOUNDED, UNBOUNDED),
    ],
)
def test_the_bound_is_raised_as_far_as_it_helps_and_may(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    soft: int,
    hard: int,
    then: int,
) -> None:
    system = System(monkeypatch, soft, hard)
    allow_open_files(1_000)

    assert system.soft == then
    assert not caplog.records


@pytest.mark.parametrize(("hard", "refusing"), [(1_024, False), (1_048_576, True)])
def test_a_bound_that_stays_too_low_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hard: int, *, refusing: bool
) -> None:
    System(monkeypatch, 1_024, hard, refusing=refusing)
    with caplog.at_level(logging.WARNING):
        allow_open_files(1_000)

    assert "1024 open files are allowed, too few for 1000 requests" in caplog.text
