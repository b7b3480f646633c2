"""A symbol that a version does not know is poison where it decides what becomes of a record, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from asking import request as ask
from asking import route
from processing import START, decision, deployment_events, heartbeat, knowing, request, tenant_events, tick

from tests.unit.schemas.strategies import ordinary
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Processor, UnknownSymbol
from tradewind.processors.signals.built_in import BUILT_IN
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.ai import AiAttempt, AiRequest, AiResponse, AiRoute
from tradewind.schemas.codec.avro_type import ArrayType, AvroType, EnumType, OptionalType
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.event import UNKNOWN, Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest, SubmitOrder
from tradewind.schemas.portfolio import DeploymentPosition, Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Deployment, DeploymentCommand, Signal
from tradewind.schemas.tenancy import Tenant, TenantCommand
from tradewind.streams.agents import OURS
from tradewind.testing import MemoryState, run

SETTINGS = Settings(_env_file=None)
DECLARED = {one.name: one.declare(SETTINGS) for one in OURS}
SIGNAL: dict[str, Any] = {"symbol": "EURUSD", "volatility": 0.0004, "quote_bid": 1.1, "quote_ask": 1.1001}
ONE = Decimal(1)
OF_ALPHA = {"tenant_id": "alpha", "account_id": "main", "symbol": "EURUSD", "venue": "OANDA"}


def order_event(status: Any = "EXPIRED", order_id: str = "order-1") -> Event:
    """Return what becomes of an order at the venue."""
    return ordinary(OrderEvent.SCHEMA, **OF_ALPHA, order_id=order_id, status=status)


SOUND: Mapping[str, Event] = {
    Signal.SCHEMA: ordinary(Signal.SCHEMA, **SIGNAL),
    SubmitOrder.SCHEMA: ordinary(
        SubmitOrder.SCHEMA, **OF_ALPHA, side="BUY", order_type="MARKET", limit_price=None, quote_bid=ONE, quote_ask=ONE
    ),
    OrderRequest.SCHEMA: request(1),
    OrderEvent.SCHEMA: order_event(),
    Decision.SCHEMA: decision(1),
    Fill.SCHEMA: ordinary(Fill.SCHEMA, **OF_ALPHA, side="BUY"),
    TenantCommand.SCHEMA: commands_of(DEFAULT_TENANTS, 1)[0],
    DeploymentCommand.SCHEMA: commands_of(DEFAULT_TENANTS[:1], 1, ["ema_crossover"])[1],
    Deployment.SCHEMA: deployment_events(BUILT_IN)[0],
    Tenant.SCHEMA: tenant_events()[0],
    AiRequest.SCHEMA: ask(),
    AiAttempt.SCHEMA: ordinary(AiAttempt.SCHEMA, outcome="OK", source="PROVIDER"),
    AiRoute.SCHEMA: route("one/m"),
    AiResponse.SCHEMA: ordinary(AiResponse.SCHEMA, status="ANSWERED", code=None, json=None),
}
DECIDE = {
    ("tenancy", TenantCommand.SCHEMA, "action"),
    ("sizing", Tenant.SCHEMA, "status"),
    ("sizing", Tenant.SCHEMA, "order_type"),
    ("sizing", SubmitOrder.SCHEMA, "side"),
    ("sizing", SubmitOrder.SCHEMA, "order_type"),
    ("sizing", Signal.SCHEMA, "direction"),
    ("sizing", Signal.SCHEMA, "mode"),
    ("sizing", Signal.SCHEMA, "sizing"),
    ("tenancy", DeploymentCommand.SCHEMA, "action"),
    ("signals", Deployment.SCHEMA, "status"),
    ("signals", Deployment.SCHEMA, "mode"),
    ("signals", Deployment.SCHEMA, "sizing"),
    ("risk", Tenant.SCHEMA, "status"),
    ("risk", OrderRequest.SCHEMA, "mode"),
    ("risk", OrderRequest.SCHEMA, "order_type"),
    ("risk", OrderRequest.SCHEMA, "time_in_force"),
    ("risk", OrderEvent.SCHEMA, "status"),
    ("execution", Decision.SCHEMA, "outcome"),
    ("execution", Decision.SCHEMA, "side"),
    ("execution", Decision.SCHEMA, "order_type"),
    ("execution", Decision.SCHEMA, "time_in_force"),
    ("portfolio", Fill.SCHEMA, "side"),
    ("metering", Decision.SCHEMA, "outcome"),
    ("rating", Tenant.SCHEMA, "status"),
    ("ai", Tenant.SCHEMA, "status"),
    ("ai", AiRequest.SCHEMA, "kind"),
    ("ai", AiRequest.SCHEMA, "stream"),
    ("ai", AiRequest.SCHEMA, "cache"),
    ("ai", AiAttempt.SCHEMA, "outcome"),
    ("ai", AiAttempt.SCHEMA, "source"),
    ("ai", AiAttempt.SCHEMA, "timeout"),
    ("ai", AiAttempt.SCHEMA, "finish"),
    ("ai", AiRoute.SCHEMA, "strategy"),
    ("signals", AiResponse.SCHEMA, "status"),
}
"""(agent, model, field): where the agent chooses by a field, or hands it on. docs/upgrades.md has the same list."""
DO_NOT = {
    ("risk", Tenant.SCHEMA, "order_type"),
    ("execution", Decision.SCHEMA, "codes"),
    ("portfolio", Fill.SCHEMA, "liquidity"),
    ("rating", Tenant.SCHEMA, "order_type"),
    ("ai", Tenant.SCHEMA, "order_type"),
    *(("signals", AiResponse.SCHEMA, field) for field in ("kind", "code", "finish", "source")),
    *(("metering", Decision.SCHEMA, field) for field in ("side", "codes", "order_type", "time_in_force")),
    *(("metering", Fill.SCHEMA, field) for field in ("side", "liquidity")),
}
BEFORE: Mapping[tuple[str, str], Event] = {("risk", OrderEvent.SCHEMA): request(1)}
"""What makes a record matter: of an order that is not open, no status decides anything."""


def told(agent: str) -> Processor:
    """Return an agent's processor; one that waits for tenants has been told of some."""
    declared = DECLARED[agent]
    waits = declared.waits is not None and agent != "signals"  # which knows no tenants, but their deployments
    return knowing(declared.processor) if waits else declared.processor


def has_enum(kind: AvroType) -> bool:
    """Return whether a type holds an enum."""
    match kind:
        case OptionalType(inner) | ArrayType(inner):
            return has_enum(inner)
    return isinstance(kind, EnumType)


def unknown(name: str, field: str) -> Event:
    """Return a sound event with a symbol in one field that its reader did not know."""
    kind = next(each.type for each in NEWEST[name].fields if each.name == field)
    value = (UNKNOWN,) if isinstance(kind, ArrayType) else UNKNOWN
    return replace(SOUND[name], **{field: value})  # type: ignore[type-var]


def test_each_enum_that_an_agent_is_given_is_judged_here() -> None:
    """A field that is added, or an input, does not go by unnoticed."""
    given = {
        (name, model.SCHEMA, field.name)
        for name, agent in DECLARED.items()
        for topic in agent.inputs
        for model in topic.models
        for field in NEWEST[model.SCHEMA].fields
        if has_enum(field.type)
    }
    assert given == DECIDE | DO_NOT


@pytest.mark.parametrize(("agent", "name", "field"), sorted(DECIDE))
def test_a_field_that_decides_makes_the_record_poison(agent: str, name: str, field: str) -> None:
    """The error names field, schema and version; the sound record next to it is not refused."""
    processor, state = told(agent), MemoryState()
    if (before := BEFORE.get((agent, name))) is not None:
        run(processor, [before], state)
    with pytest.raises(UnknownSymbol, match=f"^record 0 .*{field} decides here, and version 1 of {name} does") as error:
        run(processor, [unknown(name, field)], state)
    assert (error.value.index, error.value.field) == (0, field)
    run(processor, [SOUND[name]], state)


@pytest.mark.parametrize(("agent", "name", "field"), sorted(DO_NOT))
def test_another_field_changes_nothing(agent: str, name: str, field: str) -> None:
    """What is sent and kept is what it would be with a symbol that is known."""
    processor = told(agent)
    one, other = MemoryState(), MemoryState()
    assert run(processor, [unknown(name, field)], one) == run(processor, [SOUND[name]], other)
    assert one.values == other.values


def test_a_denied_order_may_be_of_any_kind() -> None:
    """Nothing of it is read."""
    state = MemoryState()
    denied = [
        replace(decision(1, outcome="DENIED"), **{field: UNKNOWN})  # type: ignore[arg-type]
        for field in ("side", "order_type", "time_in_force")
    ]
    assert run(DECLARED["execution"].processor, denied, state) == []
    assert not state.values


def test_an_outcome_that_is_not_known_approves_nothing() -> None:
    """It would be taken for an approval by whoever asks for denials alone."""
    processor, state = DECLARED["execution"].processor, MemoryState()
    with pytest.raises(UnknownSymbol, match="outcome"):
        run(processor, [unknown(Decision.SCHEMA, "outcome")], state)
    assert run(processor, [tick(START + 10**6, 1.0), heartbeat(START + 10**7)], state) == []


def test_a_status_of_an_order_that_is_not_open_decides_nothing() -> None:
    """Another account's order, or one that has ended: nothing is reserved for it."""
    assert run(DECLARED["risk"].processor, [order_event(UNKNOWN, "nobody's")], MemoryState()) == []


def test_positions_are_not_changed_by_a_side_that_is_not_known() -> None:
    """Which would else be a sale."""
    processor, state = DECLARED["portfolio"].processor, MemoryState()
    assert [type(made) for made in run(processor, [SOUND[Fill.SCHEMA]], state)] == [Position, DeploymentPosition]
    before = dict(state.values)
    with pytest.raises(UnknownSymbol, match="side"):
        run(processor, [unknown(Fill.SCHEMA, "side")], state)
    assert state.values == before
