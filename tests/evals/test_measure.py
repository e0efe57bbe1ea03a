"""Figures are about the rows they say they are about."""

from __future__ import annotations

import numpy as np
import pytest

from guardproxy.evals.measure import (
    average_precisions,
    category,
    found,
    length_bucket,
    macro,
    section,
    share,
)
from guardproxy.evals.resamples import Resamples
from guardproxy.evals.table import Table
from tests.evals.samples import CLEAN, guards, row, scores_of, table_of

RESAMPLES = Resamples(40, resamples=20, seed=0)
EVERYTHING = np.arange(40)


@pytest.fixture
def table() -> Table:
    """Twenty rows with pii, of which fifteen score high, and twenty benign ones; two languages."""
    rows = [row(labels={"pii": 1, "benign": 0}, lang="de" if i < 4 else "en") for i in range(20)]
    rows += [row(labels=CLEAN, source="chat", role="assistant") for _ in range(20)]
    scores = [{"pii": 0.9 if i < 15 else 0.3} for i in range(20)]
    scores += [{"pii": 0.6 if i == 0 else 0.2} for i in range(20)]
    return table_of(rows, scores_of(*scores))


def test_a_category_is_measured_where_it_is_known(table: Table) -> None:
    pii = category(table, "pii", EVERYTHING, RESAMPLES)

    assert (pii.positives, pii.negatives) == (20, 20)
    # 15 first, then a false alarm, then the other five at once.
    assert pii.average_precision.value == pytest.approx((15 + 5 * 20 / 21) / 20)
    assert pii.roc_auc.value == pytest.approx(1 - 5 / 400)
    assert pii.recall_at_1_percent.value is None, "20 negatives say nothing about 1 %"
    assert pii.average_precision.low is not None
    assert pii.default is not None
    assert pii.default.recall.value == 0.75
    assert pii.default.precision.value == pytest.approx(15 / 16)
    assert pii.default.false_positive_rate.value == 0.05


def test_few_rows_have_no_figures_but_are_counted(table: Table) -> None:
    law = category(table, "law", EVERYTHING, RESAMPLES)

    assert (law.positives, law.negatives) == (0, 20)
    assert law.average_precision.value is None
    assert law.calibration_error is None


def test_what_nobody_judged_is_not_measured(table: Table) -> None:
    nothing = category(table, "law", np.arange(20), RESAMPLES)

    assert (nothing.positives, nothing.negatives, nothing.default) == (0, 0, None)


def test_macro_is_the_mean_over_what_has_enough_rows(table: Table) -> None:
    alone = category(table, "pii", EVERYTHING, RESAMPLES).average_precision

    assert macro(table, EVERYTHING, RESAMPLES) == alone
    assert macro(table, np.arange(20), RESAMPLES).value is None
    assert average_precisions(table, EVERYTHING) == {"pii": alone.value}


def test_without_resamples_there_are_no_intervals(table: Table) -> None:
    figure = macro(table, EVERYTHING, Resamples(40, resamples=0, seed=0))

    assert figure.value is not None
    assert figure.low is None


def test_found_counts_rows_whose_own_category_is_flagged(table: Table) -> None:
    count, estimate = found(table, EVERYTHING)

    assert (count, estimate.value) == (20, 0.75)
    assert found(table, np.arange(20, 40))[1].value is None


def test_a_section_cuts_its_rows_in_every_way(table: Table) -> None:
    whole = section("all", table, EVERYTHING, RESAMPLES)

    assert whole.sources == ["chat", "ours"]
    assert whole.benign == 20
    assert whole.blocked_benign.value == 0, "these guardrails report only"
    assert whole.flagged_benign["pii"] == 0.05
    assert {kind: [each.name for each in cut] for kind, cut in whole.slices.items()} == {
        "language": ["de", "en"],
        "role": ["assistant", "user"],
        "length": ["0-50"],
        "source": ["chat", "ours"],
    }
    de, en = whole.slices["language"]
    assert (de.rows, de.macro.value, de.macro_of_all) == (4, None, None)
    assert en.macro_of_all == pytest.approx(whole.macro.value)


def test_wilsons_interval_is_the_known_one() -> None:
    hits = np.array([True] * 8 + [False] * 12)

    estimate = share(hits, np.arange(20))

    assert estimate.value == 0.4
    assert estimate.low == pytest.approx(0.2188, abs=1e-4)
    assert estimate.high == pytest.approx(0.6134, abs=1e-4)
    none = share(np.zeros(20, dtype=np.bool_), np.arange(20))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(0.1611, abs=1e-4)


def test_length_buckets_stand_in_the_order_of_lengths() -> None:
    names = [length_bucket(length) for length in (0, 50, 51, 200, 201, 1000, 1001, 99_999)]

    assert names == ["0-50"] * 2 + ["51-200"] * 2 + ["201-1000"] * 2 + ["1001+"] * 2
    rows = [row("x" * length) for length in (1001, 60, 300, 5)]
    cut = section(
        "all", table_of(rows, scores_of({}, {}, {}, {}), guards()), np.arange(4), RESAMPLES
    )
    assert [each.name for each in cut.slices["length"]] == ["0-50", "51-200", "201-1000", "1001+"]
