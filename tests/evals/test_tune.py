"""The threshold that is chosen keeps to its goal, and none that is lower would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardproxy.evals.metrics import Bools, Floats
from guardproxy.evals.tune import Cost, FalsePositiveRate, Precision, best, tune
from tests.evals.samples import CLEAN, row, scores_of, table_of

Judged = tuple[Bools, Floats]
JUDGED = st.lists(
    st.tuples(st.booleans(), st.floats(0, 1, allow_subnormal=False)), min_size=1, max_size=40
).map(lambda rows: (np.array([r[0] for r in rows]), np.array([r[1] for r in rows])))
GRID = np.arange(10_000) / 10_000


def outcomes(judged: Judged, thresholds: Floats) -> tuple[Floats, Floats]:
    """Hits and false alarms above each threshold, counted one by one."""
    positive, scores = judged
    above = scores[None, :] > thresholds[:, None]
    return (above & positive).sum(axis=1) * 1.0, (above & ~positive).sum(axis=1) * 1.0


@given(JUDGED, st.sampled_from([0.0, 0.05, 0.3]))
def test_a_false_positive_rate_is_kept_by_the_lowest_threshold(judged: Judged, rate: float) -> None:
    chosen = best(*judged, FalsePositiveRate(rate))

    _, alarms = outcomes(judged, GRID)
    good = GRID[alarms <= rate * (~judged[0]).sum() * (1 + 1e-9)]
    assert chosen == pytest.approx(good[0]) if len(good) else chosen is None


@example((np.array([False, False, True]), np.array([1.0, 0.34, 1.0])), 0.5)
@given(JUDGED, st.sampled_from([0.5, 0.9]))
def test_a_precision_is_reached_by_the_lowest_threshold(judged: Judged, least: float) -> None:
    chosen = best(*judged, Precision(least))

    hits, alarms = outcomes(judged, GRID)
    good = GRID[(hits + alarms > 0) & (hits >= least * (hits + alarms))]
    assert chosen == pytest.approx(good[0]) if len(good) else chosen is None


@given(JUDGED, st.sampled_from([0.1, 1.0, 20.0]))
def test_no_threshold_costs_less(judged: Judged, miss: float) -> None:
    chosen = best(*judged, Cost(miss))

    assert chosen is not None
    hits, alarms = outcomes(judged, np.append(GRID, chosen))
    costs = (judged[0].sum() - hits) * miss + alarms
    assert costs[-1] == pytest.approx(costs.min())


def test_a_category_needs_rows_and_a_threshold_that_reaches_the_goal() -> None:
    rows = [row(labels={"pii": 1, "law": 1, "benign": 0}) for _ in range(10)]
    rows += [row(labels=CLEAN) for _ in range(20)]
    table = table_of(
        rows,
        scores_of(
            *({"pii": 0.9, "law": 0.2} for _ in range(10)), *({"law": 0.3} for _ in range(20))
        ),
    )

    pii, law, sexual = tune(table, {"pii": 0.95, "law": 0.5, "sexual": 0.4}, Precision(0.9))

    assert (pii.before, pii.after, pii.kept) == (0.95, 0.1, None)
    assert float(pii.at_before.recall) == 0
    assert float(pii.at_after.recall) == float(pii.at_after.precision) == 1
    assert (law.after, law.kept) == (0.5, "no threshold reaches it")
    assert (sexual.after, sexual.positives, sexual.negatives) == (0.4, 0, 20)
    assert sexual.kept is not None
    assert sexual.kept.startswith("too few rows")


@pytest.mark.parametrize(("rate", "negatives"), [(0.005, 200), (0.5, 10), (0.0, 10)])
def test_a_small_rate_needs_many_negatives(rate: float, negatives: int) -> None:
    assert FalsePositiveRate(rate).negatives == negatives
