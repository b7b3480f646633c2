"""The tenancy agent: each change is told to every partition in one order, and a copy to those who are no agents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Seeded, Tenant, TenantCommand, TenantRefused
from tradewind.streams.tenancy import tenancy
from tradewind.testing import MemoryAgent
from tradewind.topics.tenancy import TENANT_CHANGES, TENANT_COMMANDS, TENANT_REFUSALS, TENANTS

NEEDED = {"accounts": ["main"], "risk_per_trade": 25, "max_order_notional": 5_000, "max_position_notional": 9_000}
SEEDED = Seeded(event_id="s", ts_event=9, ts_ingest=9, correlation_id="s", causation_id="s", tenants=300)


def kit() -> MemoryAgent:
    """Return the agent on an empty broker."""
    return MemoryAgent(tenancy(Settings(_env_file=None)))


def command(tenant: str, action: Any, revision: int = 0, changes: Mapping[str, Any] | None = None) -> TenantCommand:
    """Return a command with an id of its content."""
    return TenantCommand(
        event_id=f"{tenant}-{action}-{revision}",
        tenant_id=tenant,
        ts_event=1,
        ts_ingest=1,
        correlation_id="c",
        causation_id="c",
        action=action,
        revision=revision,
        changes=tuple({"key": key, "value": json.dumps(value)} for key, value in (changes or {}).items()),
    )


def test_every_partition_has_every_change_in_the_order_of_the_commands() -> None:
    """300 tenants, the end of what was known, and a change after it; the copies are keyed by tenant."""
    agent = kit()
    names = [f"t{number:03}" for number in range(300)]
    commands: list[Event] = [command(name, "CREATE", changes=NEEDED) for name in names]
    agent.process({TENANT_COMMANDS: [*commands, SEEDED, command("t007", "SUSPEND", 1)]})
    broker = agent.broker
    told = [
        [broker.codec.decode(record.value or b"") for record in broker.log((TENANT_CHANGES.name, partition))]
        for partition in range(TENANT_CHANGES.partitions)
    ]
    assert all(one == told[0] for one in told)
    assert [event.tenant_id for event in told[0] if isinstance(event, Tenant)] == [*names, "t007"]
    assert told[0].index(SEEDED) == len(names)
    copies = {record.key: broker.codec.decode(record.value or b"") for record in broker.records(TENANTS)}
    assert len(copies) == len(names)
    last = copies[b"t007"]
    assert isinstance(last, Tenant)
    assert (last.status, last.revision) == ("SUSPENDED", 2)
    assert not broker.records(TENANT_REFUSALS)
    assert not agent.dead_letters()


def test_a_refusal_goes_to_those_who_asked_and_to_nobody_else() -> None:
    """Nothing of it is told to agents."""
    agent = kit()
    (refused,) = agent.process({TENANT_COMMANDS: [command("alpha", "SET", 4, {"tier": "gold"})]})
    assert isinstance(refused, TenantRefused)
    assert [reason["code"] for reason in refused.reasons] == ["NO_SUCH_TENANT"]
    assert agent.broker.events(TENANT_REFUSALS) == [refused]
    assert not agent.broker.records(TENANT_CHANGES)


def test_an_agent_that_is_started_again_knows_every_tenant() -> None:
    """A command that is stale is so after a restart, too; one that comes again is still known."""
    agent = kit()
    created = command("alpha", "CREATE", changes=NEEDED)
    before = agent.process({TENANT_COMMANDS: [created]})[0]
    agent.restart()
    assert agent.process({TENANT_COMMANDS: [created]}) == []
    again = agent.process({TENANT_COMMANDS: [command("alpha", "SUSPEND", 0), command("alpha", "SUSPEND", 1)]})
    assert isinstance(again[0], TenantRefused)
    changed = again[1]
    assert isinstance(before, Tenant)
    assert isinstance(changed, Tenant)
    assert replace(changed, status="ACTIVE", revision=1, event_id="", causation_id="") == replace(
        before, event_id="", causation_id=""
    )
