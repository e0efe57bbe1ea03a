"""What is added up apart is what would have been counted at once."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from guardproxy.telemetry.tallies import CounterTally, HistogramTally

BOUNDS = (0.1, 0.5, 1.0)
VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.1000001, 0.5, 1.0, 1.5, -1.0]) | st.floats(0, 2))


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, str(sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(VALUES, max_size=4))
def test_a_histogram_is_the_same_whenever_it_is_handed_over(parts: list[list[float]]) -> None:
    at_once, tallied = CollectorRegistry(), CollectorRegistry()
    counted = Histogram("h", "h", ("a",), buckets=BOUNDS, registry=at_once)
    tally = HistogramTally(Histogram("h", "h", ("a",), buckets=BOUNDS, registry=tallied), BOUNDS)
    for part in parts:
        for value in part:
            counted.labels("x").observe(value)
            tally.observe(("x",), value)
        tally.flush()

    expected, found = samples(at_once), samples(tallied)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], value, abs_tol=1e-9) for key, value in expected.items())


def test_a_counter_is_the_same_whenever_it_is_handed_over() -> None:
    registry = CollectorRegistry()
    labelled = CounterTally(Counter("l", "l", ("a",), registry=registry))
    plain = CounterTally(Counter("p", "p", registry=registry))
    for _ in range(2):
        labelled.add(("x",))
        labelled.add(("y",), 2)
        plain.add((), 3)
        labelled.flush()
        plain.flush()

    assert registry.get_sample_value("l_total", {"a": "x"}) == 2
    assert registry.get_sample_value("l_total", {"a": "y"}) == 4
    assert registry.get_sample_value("p_total") == 6


def test_a_histogram_without_labels_is_one_series() -> None:
    registry = CollectorRegistry()
    tally = HistogramTally(Histogram("h", "h", buckets=BOUNDS, registry=registry), BOUNDS)
    tally.observe((), 0.2)
    tally.flush()

    assert registry.get_sample_value("h_count") == 1
