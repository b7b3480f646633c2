"""Money is rounded in one place, and no thread's settings change it."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.money import ceiled, exact, floored, money_of, rounded, shown


@given(st.floats(1e-9, 1e12))
def test_a_price_reads_as_it_is_written(price: float) -> None:
    """The shortest decimal of a number, to 10 places."""
    assert abs(Fraction(money_of(price)) - Fraction(repr(price))) <= Fraction(1, 2 * 10**10)
    assert money_of(1.38676) == Decimal("1.38676")


def test_people_see_no_zeros_at_the_end_and_no_exponent() -> None:
    """Whatever the precision of the thread is."""
    with decimal.localcontext(prec=3):
        found = [shown(Decimal(text)) for text in ("0.0000720000", "5000.0000000000", "0E-10", "12345.6700")]
    assert found == ["0.000072", "5000", "0", "12345.67"]


def test_halves_go_to_the_even_neighbour() -> None:
    """In the eleventh place, up or down by turns, so that sums do not drift."""
    assert rounded(Decimal("0.00000000005")) == Decimal(0)
    assert rounded(Decimal("0.00000000015")) == Decimal("0.0000000002")


def test_the_threads_context_changes_nothing() -> None:
    """A library that lowers the precision does not lower ours."""
    with decimal.localcontext(prec=3):
        assert rounded(Decimal("123456.7")) == Decimal("123456.7")
        assert floored(Decimal("123456.789"), Decimal("0.01")) == Decimal("123456.78")
        with exact():
            assert Decimal("1234.5678") * Decimal("1234.5678") == Decimal("1524157.65279684")


@given(st.decimals("0", "1e12", places=10), st.sampled_from(("0.00001", "0.001", "1", "1000")))
def test_steps_are_below_and_above(value: Decimal, step: str) -> None:
    """Floor and ceiling are whole steps, at most one step away."""
    below, above = floored(value, Decimal(step)), ceiled(value, Decimal(step))
    assert below <= value <= above
    assert above - below in (0, Decimal(step))
    assert below % Decimal(step) == above % Decimal(step) == 0
