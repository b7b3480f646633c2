"""Quotas close a loop: risk approves, metering counts, rating tells of the quota, and risk denies."""

from __future__ import annotations

from dataclasses import replace

from processing import request, tenant_events

from tradewind.connectors.settings import Settings
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.event import Event
from tradewind.schemas.risk import Decision
from tradewind.schemas.tenancy import Tenant
from tradewind.streams.billing import metering, rating
from tradewind.streams.risk import risk
from tradewind.testing import MemoryAgent, MemoryBroker
from tradewind.topics import ORDER_REQUESTS, TENANT_CHANGES, USAGE_THRESHOLDS

QUOTA = 5


def test_orders_beyond_a_quota_are_denied_once_rating_has_told_of_it() -> None:
    """Orders that risk decides before that pass: this is the overshoot. Restarts change nothing."""
    broker, settings = MemoryBroker(), Settings(_env_file=None)
    agents = [MemoryAgent(of(settings), broker) for of in (risk, metering, rating)]
    told = [
        replace(one, quotas=({"meter": "orders", "units": QUOTA},)) if isinstance(one, Tenant) else one
        for one in tenant_events()
    ]
    broker.publish(TENANT_CHANGES, *told)

    def asked(*numbers: int) -> list[Event]:
        broker.publish(ORDER_REQUESTS, *(request(number, symbol=f"S{number}") for number in numbers))
        return [event for agent in agents for event in agent.run()]

    sent = [*asked(*range(3)), *asked(*range(3, 10))]
    decided = [event.outcome for event in sent if isinstance(event, Decision)]
    assert decided == ["APPROVED"] * 10
    told_of = [event.percent for event in sent if isinstance(event, UsageThreshold)]
    assert told_of == [share for share in (50, 80, 100) for _ in range(USAGE_THRESHOLDS.partitions)]
    for agent in agents:
        agent.restart()
    later = [event.codes for event in asked(10, 11) if isinstance(event, Decision)]
    assert later == [("QUOTA",)] * 2
    assert [letter for agent in agents for letter in agent.dead_letters()] == []
