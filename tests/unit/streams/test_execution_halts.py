"""Halts at the execution agent as it is declared: with its hold, its changelog, and versions that knew no halts."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from processing import SECOND, START, decision, heartbeat, passed_on, request, tick

from tradewind.connectors.kafka.json_events import parse_event
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OpenOrderState, OrderEvent
from tradewind.schemas.market import Bar
from tradewind.schemas.risk import Decision, ExposureState, KillSwitch, ReservationState
from tradewind.streams.execution import execution
from tradewind.streams.runtime import Agent
from tradewind.testing import MemoryAgent, MemoryBroker, Pipeline, rows
from tradewind.topics import DECISIONS, KILL_SWITCHES, ORDER_REQUESTS, TICKS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "halts.md"
AGENT = execution(Settings(_env_file=None))
BEFORE_HALTS: Agent = replace(AGENT, inputs=(DECISIONS, TICKS))
"""The agent as versions had it that left resting orders alive."""


def halt(*, engaged: bool = True, tenant_id: str | None = "alpha") -> KillSwitch:
    """Return a command for a whole tenant, or for everyone."""
    event_id = derive_id("switch", str(engaged), str(tenant_id))
    return KillSwitch(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=START,
        ts_ingest=START,
        correlation_id=event_id,
        causation_id=event_id,
        engaged=engaged,
        reason="too fast",
    )


def limited(number: int, ts_event: int = START) -> Decision:
    """Return the approval of a buy at 1.1."""
    return decision(number, ts_event, order_type="LIMIT", limit_price=Decimal("1.1"))


def kept(kit: MemoryAgent, model: type[Event]) -> list[Event]:
    """Return the values of a model that an agent's tasks keep; the switches are in the state of each."""
    return [value for values in kit.states().values() for value in values.values() if isinstance(value, model)]


def steps(events: list[Event]) -> list[tuple[str, str]]:
    """Return each step of each order."""
    return [(event.order_id, event.status) for event in events if isinstance(event, OrderEvent)]


def test_a_halt_is_read_before_the_decisions_and_the_quotes_of_its_batch() -> None:
    """Held ticks that the same batch lets go meet no order of the tenant, nor does a decision beside the halt live."""
    assert AGENT.reading_order() == (KILL_SWITCHES, DECISIONS, TICKS)
    kit = MemoryAgent(AGENT)
    kit.process({DECISIONS: [limited(1)], TICKS: [tick(START + SECOND, 0.5)]})
    sent = kit.process({KILL_SWITCHES: [halt()], DECISIONS: [limited(2), *passed_on(START + 2 * SECOND)]})
    assert steps(sent) == [("order-1", "CANCELED"), ("order-2", "ACCEPTED"), ("order-2", "CANCELED")]
    assert kit.positions()["market.ticks", kit_partition()] == 1, "the tick that was held is processed"
    assert not kept(kit, OpenOrderState)


def kit_partition() -> int:
    """Return the partition of EURUSD.OANDA."""
    broker = MemoryBroker()
    broker.publish(TICKS, tick(START))
    return broker.records(TICKS)[0].partition


def test_what_is_halted_survives_a_restart() -> None:
    """The switch is state: a decision that comes after the restart is cancelled; after the lift, one lives."""
    kit = MemoryAgent(AGENT)
    kit.process({KILL_SWITCHES: [halt()]})
    kit.restart()
    assert steps(kit.process({DECISIONS: [limited(1)]})) == [("order-1", "ACCEPTED"), ("order-1", "CANCELED")]
    assert steps(kit.process({KILL_SWITCHES: [halt(engaged=False)]})) == []
    assert steps(kit.process({DECISIONS: [limited(2)]})) == [("order-2", "ACCEPTED")]


def test_a_version_that_knows_halts_takes_over_the_orders_of_one_that_did_not() -> None:
    """Nobody knows a position of the new input: it is read from its beginning, and the task goes on where it was."""
    broker = MemoryBroker()
    older = MemoryAgent(BEFORE_HALTS, broker)
    older.process({KILL_SWITCHES: [halt()], DECISIONS: [limited(1)], TICKS: [tick(START)]})
    assert [key for key in older.state() if key.startswith("order/")] == ["order/order-1"]
    newer = MemoryAgent(AGENT, broker)
    assert newer.state() == older.state()
    assert {newer.positions()["risk.kill_switches", partition] for partition in range(AGENT.partitions)} == {0}
    assert steps(newer.run()) == [("order-1", "CANCELED")]
    assert {newer.positions()["risk.kill_switches", partition] for partition in range(AGENT.partitions)} == {1}


def test_going_back_to_a_version_without_halts_and_forth_again_reads_no_command_twice() -> None:
    """The older one writes positions without that input: the group's stand, and the switches are still state."""
    broker = MemoryBroker()
    MemoryAgent(AGENT, broker).process({KILL_SWITCHES: [halt(), halt(engaged=False)], DECISIONS: [limited(1)]})
    MemoryAgent(BEFORE_HALTS, broker).process({DECISIONS: [limited(2)], KILL_SWITCHES: [halt()]})
    newer = MemoryAgent(AGENT, broker)
    assert steps(newer.run()) == [("order-1", "CANCELED"), ("order-2", "CANCELED")]
    assert {newer.positions()["risk.kill_switches", partition] for partition in range(AGENT.partitions)} == {3}


def test_the_pages_command_for_everyone_halts_everyone() -> None:
    """As it stands there, line breaks apart, through the command's own reader."""
    (line,) = re.findall(r"^echo '({.*?})'", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    shell = {"'$now'": "2026-01-02T03:04:05Z", "'$id'": "halt-1"}
    for variable, value in shell.items():
        assert variable in line
        line = line.replace(variable, value)
    command = parse_event(line.replace("\n", ""), KILL_SWITCHES)
    kit = MemoryAgent(AGENT)
    kit.process({DECISIONS: [limited(1), decision(2, tenant_id="beta", account_id="second")]})
    assert steps(kit.process({KILL_SWITCHES: [command]})) == [("order-1", "CANCELED"), ("order-2", "CANCELED")]


class Patient(Strategy):
    """Buys at every bar; the tenant's limits lie below the market."""

    name, interval_s = "patient", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View:
        """Say so."""
        return View("LONG", 1.0, "it is a test")


def test_a_halt_gives_back_what_risk_had_reserved() -> None:
    """Every agent in memory: limit orders rest, the halt ends them, and risk counts nothing of them any more."""
    pipeline = Pipeline(strategies=[Patient()])
    risk = pipeline.agents["risk"]
    ask = request(1, START, tenant_id="beta", order_type="LIMIT", limit_price=Decimal("0.5"), quantity=Decimal(10))
    pipeline.broker.publish(ORDER_REQUESTS, ask)
    for segment in rows([tick(START, 1.0, 1.1), heartbeat(START + SECOND)], TICKS.name):
        pipeline.feed(segment)
    assert kept(risk, ReservationState)
    sent = pipeline.command(halt(tenant_id=None))
    assert steps(sent) == [("order-1", "CANCELED")]
    assert not kept(risk, ReservationState)
    assert [value.to_dict()["quantity"] for value in kept(risk, ExposureState)] == [0]
    (low,) = rows([tick(START + 9 * SECOND, 0.1, 0.2)], TICKS.name)
    assert not [event for event in pipeline.feed(low) if isinstance(event, Fill)]
