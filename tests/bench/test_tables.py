from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.bench.tables import megabytes, milliseconds, number, table


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (0.004, "0.00"),
        (0.35, "0.35"),
        (5.678, "5.68"),
        (12.34, "12.3"),
        (123.4, "123"),
        (1330.4, "1,330"),
        (-0.5, "-0.50"),
    ],
)
def test_three_digits_count(value: float | None, shown: str) -> None:
    assert number(value) == shown


@given(st.floats(0, 1e12))
def test_a_number_is_off_by_less_than_a_hundredth_of_itself(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=0.01, abs=0.006)


def test_units_are_those_people_read() -> None:
    assert milliseconds(0.00035) == "0.35"
    assert milliseconds(None) == "-"
    assert megabytes(250_000_000) == "250"


def test_a_table_has_its_figures_on_the_right() -> None:
    assert table("Two", ["", "n"], [["a", "1"], ["b", "2"]]) == (
        "**Two**\n\n|  | n |\n| --- | ---: |\n| a | 1 |\n| b | 2 |"
    )
