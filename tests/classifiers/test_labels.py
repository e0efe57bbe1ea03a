"""Labels and logits become the probabilities they stand for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from guardproxy.classifiers.labels import (
    Label,
    categories_named,
    places_of,
    probabilities,
    read_labels,
    scores,
)
from guardproxy.errors import ClassifierError

LABELS = [
    Label(name="safe"),
    Label(name="threat", categories=["violence", "crime"]),
    Label(name="insult", categories=["hate"]),
    Label(name="slur", categories=["hate"]),
]
ORDER = ("hate", "violence", "crime", "health")
FINITE = st.floats(-1e6, 1e6, width=32)


def test_categories_come_in_our_order_and_what_is_strange_after() -> None:
    raw = [{"name": "a", "categories": ["crime", "odd", "hate"]}, {"name": "b"}, "junk", {"x": 1}]

    assert categories_named(raw, ORDER) == ["hate", "crime", "odd"]
    assert categories_named("junk", ORDER) == []


def test_places_say_where_a_category_stands() -> None:
    assert places_of(LABELS, ("hate", "crime")) == ((2, 3), (1,))


@given(arrays.arrays(np.float32, st.integers(1, 6), elements=FINITE))
def test_any_logits_are_probabilities(logits: npt.NDArray[np.float32]) -> None:
    exclusive = probabilities(logits, logits=True, exclusive=True)
    each = probabilities(logits, logits=True, exclusive=False)

    assert exclusive.sum() == pytest.approx(1)
    assert ((exclusive >= 0) & (exclusive <= 1) & (each >= 0) & (each <= 1)).all()
    assert each == pytest.approx([1 / (1 + math.exp(-max(-700, x))) for x in logits.tolist()])


def test_exclusive_labels_add_up_and_others_do_not() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.4])
    places = places_of(LABELS, ORDER[:3])

    assert scores(values, places, exclusive=True) == pytest.approx((0.7, 0.2, 0.2))
    assert scores(values, places, exclusive=False) == pytest.approx((0.4, 0.2, 0.2))
    assert scores(np.array([0.7, 0.3000001]), [(0, 1)], exclusive=True) == (1.0,)


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ([[0.1, 0.2]], "shape"),
        ([0.1, 0.2, 0.3], "shape"),
        ([[0.1, 0.2, 1.5]], "are these logits"),
        ([[0.1, 0.2, math.nan]], "no probability"),
    ],
)
def test_an_output_that_is_no_probability_is_refused(output: object, says: str) -> None:
    with pytest.raises(ClassifierError, match=says):
        read_labels(output, 3, [(0,)], logits=False, exclusive=False)


def test_an_infinite_logit_is_sure_and_none_is_refused() -> None:
    row = read_labels([[math.inf, -math.inf]], 2, [(0,), (1,)], logits=True, exclusive=False)

    assert row == (1.0, 0.0)
    with pytest.raises(ClassifierError):
        read_labels([[math.nan, 0.0]], 2, [(0,)], logits=True, exclusive=True)
