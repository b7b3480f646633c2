"""The life of an order is a table, and nothing follows an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.execution.order import FINAL, TRANSITIONS, IllegalTransition, Status, Trigger, after


@given(st.lists(st.sampled_from(Trigger), max_size=6))
def test_an_order_ends_once(triggers: list[Trigger]) -> None:
    """Whatever happens to it, at most one trigger leads to a final status, and none leads out of it."""
    status: Status | None = None
    ends = 0
    for trigger in triggers:
        if (status, trigger) not in TRANSITIONS:
            with pytest.raises(IllegalTransition, match="cannot"):
                after(status, trigger)
            continue
        status = after(status, trigger)
        ends += status in FINAL
    assert ends <= 1


def test_the_final_statuses() -> None:
    """Accepted is the only status that something follows."""
    assert {"FILLED", "EXPIRED", "CANCELED", "REJECTED"} == FINAL
