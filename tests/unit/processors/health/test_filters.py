"""A filter says of each record whether a person wants to see it, or where it cannot be read and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.filters import DEEPEST, LONGEST, BadFilter, Kind, filter_of

FIELDS = {
    "side": Kind("text", ("BUY", "SELL")),
    "price": Kind("decimal"),
    "bid": Kind("double"),
    "count": Kind("integer"),
    "symbol": Kind("text"),
    "closing": Kind("boolean"),
    "ts_event": Kind("time"),
}
RECORD = {
    "side": "BUY",
    "price": Decimal("1.10"),
    "bid": 1.1,
    "count": 2**60 + 1,
    "symbol": "EURUSD",
    "closing": False,
    "ts_event": 1_700_000_000_000_000,
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("side = BUY and price > 1.05", True),
        ("side = BUY and price > 1.1", False),
        ("price = 1.1", True),
        ("bid = 1.1", True),
        ("bid >= 1.1 and bid <= 1.1", True),
        (f"count = {2**60 + 1}", True),
        (f"count = {2**60}", False),
        ("count > 1.5", True),
        ("side = SELL or side = BUY and not closing = true", True),
        ("(side = SELL or side = BUY) and closing = true", False),
        ("symbol ~ eur", True),
        ("symbol = 'EURUSD'", True),
        ('symbol != "EURUSD"', False),
        ("ts_event >= 2023-11-14T22:13:20Z", True),
        ("ts_event > 2023-11-14T22:13:20+00:00", False),
        ("symbol is null", False),
        ("NOT symbol IS NOT NULL", False),
    ],
)
def test_a_filter_decides(text: str, matches: bool) -> None:
    """To the last digit, with `and` before `or`."""
    assert filter_of(text, FIELDS)(RECORD) is matches


def test_a_condition_on_what_a_record_lacks_is_false() -> None:
    """A topic carries heartbeats beside ticks; only `is null` finds them."""
    for text in ("price > 0", "price != 0", "symbol ~ EUR"):
        assert not filter_of(text, FIELDS)({})
    assert filter_of("price is null", FIELDS)({})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a field, and the filter ends"),
        ("prise > 1", "character 1: no field is called 'prise'; did you mean price?"),
        ("side = BUUY", "character 8: side is never 'BUUY'; did you mean BUY?"),
        ("price > many", "character 9: price is a decimal, and 'many' is none"),
        ("price > 1e999", "is none"),
        ("price > NaN", "is none"),
        ("ts_event > 2023-11-14", "use such as 2026-01-31T09:00:00Z"),
        ("closing = yes", "use true or false"),
        ("price ~ 1", "~ is for texts"),
        ("price > 1 price < 2", "character 11: expected `and`, `or` or the end"),
        ("(price > 1", "expected `)`"),
        ("price", "expected an operator"),
        ("symbol = 'EUR", "a text needs both quotes"),
        ("symbol is EUR", "expected `null`"),
        ("not " * 30 + "price > 1", "at most 20"),
        ("(" * 30 + "price > 1" + ")" * 30, "at most 20"),
        (" and ".join(["price > 1"] * 21), "at most 20 conditions"),
        ("x" * (LONGEST + 1), f"at most {LONGEST} characters"),
        ("__class__ = 1", "no field is called"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_would_be_right(text: str, said: str) -> None:
    """By the place of its character."""
    with pytest.raises(BadFilter) as refused:
        filter_of(text, FIELDS)
    assert said in str(refused.value)


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(["and", "or", "not", "(", ")", "price", "side", ">", "=", "1", "BUY", "is", "null", "~"]),
        max_size=12,
    ).map(" ".join)
)
def test_whatever_a_person_types_is_a_filter_or_said_to_be_none(text: str) -> None:
    """Nothing else is raised, and a filter decides on any record."""
    try:
        found = filter_of(text, FIELDS)
    except BadFilter:
        return
    assert found(RECORD) in {True, False}
    assert found({}) in {True, False}


CONDITIONS: Mapping[str, Any] = {
    "price > 1.05": True,
    "price < 1.05": False,
    "side = BUY": True,
    "side = SELL": False,
    "symbol ~ usd": True,
    "closing = true": False,
}
TREES = st.recursive(
    st.sampled_from(sorted(CONDITIONS)).map(lambda text: (text, CONDITIONS[text])),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"not ({one[0]})", not one[1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]}) and ({two[1][0]})", two[0][1] and two[1][1])),
        st.tuples(inner, inner).map(lambda two: (f"({two[0][0]}) or ({two[1][0]})", two[0][1] or two[1][1])),
    ),
    max_leaves=5,
)


@given(TREES)
def test_a_filter_is_what_logic_says(tree: tuple[str, bool]) -> None:
    """However its parts are joined."""
    text, expected = tree
    if text.count("(") < DEEPEST:
        assert filter_of(text, FIELDS)(RECORD) is expected
