"""Money: decimals of 10 places, rounded half to even in one place, whatever the thread's decimal context is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import lru_cache
from typing import Literal

PLACES = Decimal("1e-10")  # the scale of every decimal in the schemas
DIGITS = 80  # twice the 38 digits of a field and more: products of two fields are exact, and quotients round once
CONTEXT = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN)
ZERO = Decimal(0)
PRICES = 256  # that are not converted again: an order looks at the same few quotes at each of its stages


def exact() -> AbstractContextManager[Context]:
    """Return a context in which sums and products of fields are exact."""
    return localcontext(CONTEXT)


def rounded(value: Decimal) -> Decimal:
    """Return the value with 10 places, half to even."""
    return value.quantize(PLACES, context=CONTEXT)


@lru_cache(maxsize=PRICES)
def money_of(value: float) -> Decimal:
    """Return the shortest decimal that reads back as the number, rounded to 10 places half to even."""
    return rounded(Decimal(repr(float(value))))


def shown(value: Decimal) -> str:
    """Return an amount for people: without exponent, and without zeros at its end."""
    return format(CONTEXT.normalize(value), "f")


def signed_quantity(side: Literal["UNKNOWN", "BUY", "SELL"], quantity: Decimal) -> Decimal:
    """Return units as they change a position: negative for a sell."""
    match side:
        case "BUY":
            return quantity
        case "SELL":
            return -quantity
    raise AssertionError("an order of an unknown side is refused before it is judged")


def floored(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of the step that is not above the value."""
    return _stepped(value, step, ROUND_FLOOR)


def ceiled(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of the step that is not below the value."""
    return _stepped(value, step, ROUND_CEILING)


def _stepped(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    steps = CONTEXT.divide(value, step).to_integral_value(rounding=rounding)
    return rounded(CONTEXT.multiply(steps, step))
