from __future__ import annotations

import numpy as np
import pytest

from guardproxy.evals.metrics import Floats
from guardproxy.evals.resamples import Resamples

ROWS = np.arange(400)
VALUES = np.arange(400) % 4 == 0


def mean(weights: Floats | None) -> Floats:
    if weights is None:
        return np.asarray(VALUES.mean())
    return np.asarray((weights @ VALUES) / weights.sum(axis=-1))


def test_the_interval_of_a_share_is_the_known_one() -> None:
    estimate = Resamples(400, resamples=2000, seed=1).estimate(mean, ROWS)

    assert estimate.value == 0.25
    # A share of 0.25 of 400 rows has a standard error of 0.0217.
    assert estimate.low == pytest.approx(0.25 - 1.96 * 0.0217, abs=0.006)
    assert estimate.high == pytest.approx(0.25 + 1.96 * 0.0217, abs=0.006)


def test_a_seed_gives_the_same_interval_again() -> None:
    first, again, other = (
        Resamples(400, resamples=50, seed=seed).estimate(mean, ROWS) for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_a_figure_without_resamples_has_no_interval() -> None:
    estimate = Resamples(400, resamples=0, seed=1).estimate(mean, ROWS)

    assert (estimate.value, estimate.low, estimate.high) == (0.25, None, None)


def test_a_figure_that_is_not_defined_is_none() -> None:
    resamples = Resamples(4, resamples=10, seed=1)

    assert resamples.estimate(lambda _: np.asarray(np.nan), np.arange(4)).value is None


def test_a_figure_that_most_resamples_lack_has_no_interval() -> None:
    def figure(weights: Floats | None) -> Floats:
        return np.asarray(1.0 if weights is None else np.full(len(weights), np.nan))

    estimate = Resamples(4, resamples=10, seed=1).estimate(figure, np.arange(4))

    assert (estimate.value, estimate.low) == (1.0, None)


def test_rows_weigh_the_same_in_every_figure_of_a_run() -> None:
    resamples = Resamples(6, resamples=30, seed=3)
    whole = resamples.values(lambda weights: np.asarray(weights)[:, 2:4], np.arange(6))
    part = resamples.values(lambda weights: np.asarray(weights)[:, :], np.array([2, 3]))

    assert (whole == part).all()
