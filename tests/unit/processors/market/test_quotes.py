"""A part of the quotes of a segment is what the quotes of that part of the segment are."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from processing import INSTRUMENTS, tick

from tradewind.processors.market.quotes import Quotes, quotes_of
from tradewind.testing import columns


@given(st.lists(st.tuples(st.sampled_from(INSTRUMENTS), st.integers(0, 9)), min_size=1), st.data())
def test_a_part_of_quotes_is_the_quotes_of_a_part(
    drawn: list[tuple[tuple[str, str], int]], data: st.DataObject
) -> None:
    """Of one instrument and of several, wherever the part begins and ends."""
    ticks = [tick(at, 1.0 + n, symbol=symbol, venue=venue, seq=n) for n, ((symbol, venue), at) in enumerate(drawn)]
    start = data.draw(st.integers(0, len(ticks) - 1))
    stop = data.draw(st.integers(start + 1, len(ticks)))
    part, whole = quotes_of(columns(ticks)).between(start, stop), quotes_of(columns(ticks[start:stop]))
    for of in fields(Quotes):
        assert np.array_equal(getattr(part, of.name), getattr(whole, of.name)), of.name
