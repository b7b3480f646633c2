"""Tenants change while orders flow and workers come and go: every decision is by the revision that was there first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from processing import request, tenant_events

from tradewind.connectors.settings import Settings
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.risk import Decision, LimitsState
from tradewind.schemas.tenancy import Seeded, Tenant
from tradewind.streams.risk import risk
from tradewind.testing import MemoryAgent, MemoryBroker
from tradewind.topics import ORDER_REQUESTS, TENANT_CHANGES

SETTINGS = Settings(_env_file=None)
STEP = st.one_of(
    st.tuples(st.just("change"), st.integers(1, 9)),
    st.tuples(st.just("order"), st.integers(1, 9)),
    st.tuples(st.just("run"), st.integers(1, 3)),
    st.tuples(st.just("restart"), st.just(0)),
)


def limited(revision: int, most: int) -> Tenant:
    """Return a revision of alpha that allows orders of so many thousands."""
    alpha = tenant_events(DEFAULT_TENANTS)[0]
    assert isinstance(alpha, Tenant)
    return replace(
        alpha, revision=revision, max_order_notional=Decimal(most * 1_000), max_position_notional=Decimal(10**9)
    )


def order(number: int, size: int) -> Any:
    """Return a request of about so many thousands."""
    return request(number, quantity=Decimal(size * 1_000), quote_bid=Decimal("0.9"), quote_ask=Decimal(1))


@given(st.lists(STEP, max_size=30))
def test_a_decision_is_by_the_revision_that_came_before_its_batch(steps: list[tuple[str, int]]) -> None:
    """Whatever the order of changes, requests, batches and restarts; nothing is a dead letter."""
    kit = MemoryAgent(risk(SETTINGS), MemoryBroker())
    kit.process({TENANT_CHANGES: [limited(1, 5), tenant_events(())[0]]})
    revision, most, waiting, expected = 1, 5, dict[str, int](), dict[str, str]()
    found: dict[str, str] = {}
    for number, (what, value) in enumerate([*steps, ("run", 1)]):
        if what == "change":
            revision, most = revision + 1, value
            kit.broker.publish(TENANT_CHANGES, limited(revision, value))
        elif what == "order":
            asked = order(number, value)
            kit.broker.publish(ORDER_REQUESTS, asked)
            waiting[asked.order_id] = value
        elif what == "restart":
            kit.restart()
        else:
            # All that waits is one batch, or several; changes that wait are read first in either case.
            expected |= {of: "DENIED" if size > most else "APPROVED" for of, size in waiting.items()}
            waiting.clear()
            found |= {one.order_id: one.outcome for one in kit.run() if isinstance(one, Decision)}
    assert found == expected
    assert kit.dead_letters() == []
    kept = {
        key: value for values in kit.states().values() for key, value in values.items() if key.startswith("tenant/")
    }
    assert {value.revision for value in kept.values() if isinstance(value, LimitsState)} == {revision}


def test_orders_wait_for_the_first_tenants() -> None:
    """A first start against a full topic decides none of them by a list of tenants that is not whole."""
    kit = MemoryAgent(risk(SETTINGS), MemoryBroker())
    kit.broker.publish(ORDER_REQUESTS, *(order(number, 1) for number in range(20)))
    assert kit.run() == []
    (first, *others) = tenant_events(DEFAULT_TENANTS)
    assert kit.process({TENANT_CHANGES: [first]}) == []
    assert isinstance(others[-1], Seeded)
    decided = kit.process({TENANT_CHANGES: others})
    assert [one.outcome for one in decided if isinstance(one, Decision)] == ["APPROVED"] * 20
    assert kit.dead_letters() == []
