"""Which parameter sets a sweep runs: every combination of the values that are given for each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from itertools import product
from math import prod
from typing import Final

from tradewind.streams.backtest.errors import BadInput

MOST_SETS: Final = 10_000
"""More sets overfit long before they inform, and a report of them would be some 100 MB."""
EXAMPLE: Final = "fast=5:15, fast=5:15:5, or slow=20,30"
Parameters = Mapping[str, str]
"""Values as `--param` has them."""


def grid(given: Mapping[str, str]) -> list[Parameters]:
    """Return all combinations of the values of each parameter, the last one changing fastest.

    A value is a list such as `20,30`, a range such as `5:15` (both ends, by 1) or `0.1:0.5:0.2`, or a list of both.
    Raises `BadInput` for a range that is none, or too many combinations.
    """
    values = {name: _values(name, text) for name, text in given.items()}
    count = prod(len(of) for of in values.values())
    if count > MOST_SETS:
        raise BadInput(f"the parameters have {count:,} combinations; the limit is {MOST_SETS:,}: give fewer values")
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def _values(name: str, text: str) -> list[str]:
    found: list[str] = []
    for part in text.split(","):
        found += _range(name, part) if ":" in part else [part.strip()]
    return list(dict.fromkeys(found))


def _range(name: str, text: str) -> list[str]:
    try:
        numbers = [Decimal(part) for part in text.split(":")]
    except InvalidOperation:
        raise BadInput(f"--param {name}={text} is no range: write {EXAMPLE}") from None
    first, last, step = (*numbers, Decimal(1)) if len(numbers) == 2 else (*numbers, *[Decimal(0)] * 3)[:3]
    if len(numbers) > 3 or not all(number.is_finite() for number in numbers) or step <= 0 or last < first:
        raise BadInput(f"--param {name}={text} is no range from a number up to another one: write {EXAMPLE}")
    count = int((last - first) / step) + 1
    if count > MOST_SETS:
        raise BadInput(f"--param {name}={text} has {count:,} values; the limit is {MOST_SETS:,}: give a larger step")
    return [f"{first + step * number:f}" for number in range(count)]
