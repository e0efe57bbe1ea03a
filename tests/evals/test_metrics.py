"""Our figures are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import metrics as theirs
from sklearn.calibration import calibration_curve

from guardproxy.evals import metrics as ours
from guardproxy.evals.metrics import Bools, Floats

Judged = tuple[Bools, Floats, Floats]


@st.composite
def judged(draw: st.DrawFn) -> Judged:
    """Labels of both kinds, scores with ties, integer weights with zeros."""
    size = draw(st.integers(2, 40))
    labels = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    assume(any(labels) and not all(labels))
    tenths = draw(st.lists(st.integers(0, 20), min_size=size, max_size=size))
    weights = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    positive = np.array(labels)
    weighed = np.array(weights, dtype=np.float64)
    assume(weighed[positive].sum() > 0 and weighed[~positive].sum() > 0)
    return positive, np.array(tenths) / 20, weighed


@given(judged())
def test_average_precision_is_theirs(given: Judged) -> None:
    positive, scores, weights = given
    ranking = ours.rank(positive, scores)

    assert ours.average_precision(ours.counts(ranking)) == pytest.approx(
        theirs.average_precision_score(positive, scores)
    )
    assert ours.average_precision(ours.counts(ranking, weights)) == pytest.approx(
        theirs.average_precision_score(positive, scores, sample_weight=weights)
    )


@given(judged())
def test_roc_auc_is_theirs(given: Judged) -> None:
    positive, scores, weights = given
    ranking = ours.rank(positive, scores)

    assert ours.roc_auc(ours.counts(ranking)) == pytest.approx(
        theirs.roc_auc_score(positive, scores)
    )
    assert ours.roc_auc(ours.counts(ranking, weights)) == pytest.approx(
        theirs.roc_auc_score(positive, scores, sample_weight=weights)
    )


@given(judged(), st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 1.0]))
def test_recall_at_a_rate_is_the_best_point_of_their_curve(given: Judged, rate: float) -> None:
    positive, scores, _ = given
    rates, recalls, _ = theirs.roc_curve(positive, scores, drop_intermediate=False)

    best = recalls[rates <= rate + 1e-12].max()

    assert ours.recall_at(ours.counts(ours.rank(positive, scores)), rate) == pytest.approx(best)


@given(judged(), st.integers(0, 20))
def test_precision_recall_and_f1_are_theirs(given: Judged, twentieths: int) -> None:
    positive, scores, weights = given
    flagged = scores > twentieths / 20
    precision, recall, f1, _ = theirs.precision_recall_fscore_support(
        positive, flagged, average="binary", sample_weight=weights, zero_division=0
    )

    outcome = ours.confusion(positive, flagged, weights)

    assert np.nan_to_num(outcome.precision) == pytest.approx(precision)
    assert outcome.recall == pytest.approx(recall)
    assert outcome.f1 == pytest.approx(f1)
    passed = outcome.correct_pass + outcome.false_alarm
    assert outcome.false_positive_rate == pytest.approx(outcome.false_alarm / passed)


@given(judged())
def test_reliability_is_theirs(given: Judged) -> None:
    positive, scores, _ = given
    # Their bins are closed on the right, ours on the left: scores stay off the edges.
    inside = scores * 0.9 + 0.0123
    shares, means = calibration_curve(positive, inside, n_bins=ours.CALIBRATION_BINS)

    bins = ours.reliability(positive, inside)

    filled = bins.rows > 0
    assert bins.score[filled] == pytest.approx(means)
    assert bins.positive[filled] == pytest.approx(shares)
    expected = (bins.rows[filled] * np.abs(means - shares)).sum() / len(scores)
    assert bins.error == pytest.approx(expected)


def test_many_resamples_are_worked_out_at_once() -> None:
    positive = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.1])
    weights = np.array([[1.0, 1, 1, 1], [2.0, 0, 1, 1], [0.0, 1, 0, 1]])

    at = ours.counts(ours.rank(positive, scores), weights)

    assert ours.average_precision(at)[:2] == pytest.approx([5 / 6, 1.0])
    assert np.isnan(ours.average_precision(at)[2])
    assert np.isnan(ours.roc_auc(at)[2])
    assert np.isnan(ours.recall_at(at, 0.1)[2])


def test_one_false_alarm_of_a_hundred_is_one_percent() -> None:
    positive = np.array([True] + [False] * 100)
    scores = np.array([0.5, 0.9, *[0.1] * 99])

    assert ours.recall_at(ours.counts(ours.rank(positive, scores)), 0.01) == 1


def test_what_is_not_defined_is_nan() -> None:
    nothing = np.array([], dtype=np.bool_)

    assert np.isnan(ours.reliability(nothing, np.array([])).error)
    assert np.isnan(ours.confusion(np.array([False]), np.array([True])).f1)
    assert np.isnan(ours.confusion(np.array([True]), np.array([False])).precision)
    assert ours.confusion(np.array([True]), np.array([False])).f1 == 0


def test_a_score_of_one_is_in_the_last_bin() -> None:
    bins = ours.reliability(np.array([True]), np.array([1.0]))

    assert bins.rows[-1] == 1
    assert bins.error == 0
