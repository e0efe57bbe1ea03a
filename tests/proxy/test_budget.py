"""The process holds no more than its limit, and what is given back can be taken again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardproxy.errors import OverloadedError
from guardproxy.proxy.budget import ByteBudget


def test_the_limit_may_be_reached() -> None:
    budget = ByteBudget(10)
    with budget.account() as account:
        account.set(10)

        assert budget.held == 10


def test_one_byte_more_is_refused_and_nothing_is_taken() -> None:
    budget = ByteBudget(10)
    with budget.account() as one, budget.account() as other:
        one.set(6)
        with pytest.raises(OverloadedError):
            other.add(5)

        assert budget.held == 6
        other.add(4)
        assert budget.held == 10


def test_an_account_gives_back_what_it_holds_also_after_an_error() -> None:
    budget = ByteBudget(10)

    def fail_while_holding() -> None:
        with budget.account() as account:
            account.add(7)
            account.set(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_holding()

    assert budget.held == 0


@given(st.lists(st.lists(st.integers(0, 40), max_size=5), max_size=5))
def test_the_sum_never_exceeds_the_limit_and_ends_at_zero(requests: list[list[int]]) -> None:
    budget = ByteBudget(50)
    for amounts in requests:
        with budget.account() as account:
            for amount in amounts:
                try:
                    account.add(amount)
                except OverloadedError:
                    account.set(0)
                assert 0 <= budget.held <= 50

    assert budget.held == 0
