"""Orders by hand from the gateway to the position, on Kafka and PostgreSQL: once, and repeatable from the journals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, cast

import pytest
from click.testing import CliRunner
from processes.pipeline import environment
from processing import START, heartbeat, tick
from runtime.cluster import soon

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.commands.asked import Answer, Asked, Caller
from tradewind.connectors.gateway.commands.audit import AuditLog
from tradewind.connectors.gateway.commands.frame import Commands
from tradewind.connectors.gateway.commands.ledger import Begun, Ledger
from tradewind.connectors.gateway.commands.made import Made
from tradewind.connectors.gateway.commands.orders import Cancel, Create, Quote, cancelled, created, found_before
from tradewind.connectors.gateway.commands.writer import Writer
from tradewind.connectors.gateway.commands.written import Written
from tradewind.connectors.gateway.traces import Traces
from tradewind.connectors.kafka import consume, publish
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.processes.prepare import prepare
from tradewind.infra.cli.trading.halt import halt
from tradewind.processors.health.chain import Step
from tradewind.processors.portfolio.commanded import BY_HAND
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest, SubmitOrder
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.tenancy import AuditEvent
from tradewind.streams.execution import execution
from tradewind.streams.portfolio import portfolio, sizing
from tradewind.streams.replay import verify
from tradewind.streams.risk import risk
from tradewind.streams.runtime import run_agents
from tradewind.streams.runtime.agent import dead_letter_topic
from tradewind.streams.tenancy import tenancy
from tradewind.topics import (
    AUDIT,
    DECISIONS,
    FILLS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    ORDER_REQUESTS,
    POSITIONS,
    SIGNALS,
    TICKS,
    Topic,
)

SECOND = 1_000_000
QUOTE = Quote("EURUSD.OANDA", Decimal("1.1"), Decimal("1.1001"), START)
LATER = Quote("EURUSD.OANDA", Decimal("1.2"), Decimal("1.2001"), START + SECOND)
BUY = Create(account="main", symbol="EURUSD", side="BUY", quantity=Decimal(1000))
REST = BUY.model_copy(update={"type": "LIMIT", "limit_price": Decimal("1.05")})
PLACE = {"tenant_id": "alpha", "account_id": "main", "symbol": "EURUSD", "venue": "OANDA"}

pytestmark = pytest.mark.usefixtures("database")


class Door:
    """The commands of a gateway."""

    def __init__(self, settings: Settings) -> None:
        self.settings, codec = settings, open_codec(settings)
        self.commands = Commands(Ledger(settings, clock_us), Writer(settings, codec), AuditLog(settings, codec))
        self.written = Written(settings, codec)

    async def give(self, key: str, body: Create | Cancel, decide: Callable[[Begun], Made]) -> Answer:
        """Give a command of a user of alpha."""

        def decided(begun: Begun) -> Made:
            before = self.written.find(ORDER_COMMANDS, begun)
            return decide(begun) if before is None else found_before(before)

        caller = Caller(Who("u1", "trader", "alpha", "s1", 0), "POST orders/create", key, "127.0.0.1")
        return await self.commands.carry_out(Asked(caller, body.model_dump_json().encode()), decided)

    async def submit(self, key: str, body: Create = BUY, quote: Quote = QUOTE) -> str:
        """Submit an order; return its id."""
        answer = await self.give(key, body, partial(created, body, "alpha", quote))
        return str(answer.body["order_id"])

    def seen(self, topic: Topic, **wanted: Any) -> list[Any]:
        """Return the events of a topic whose fields have some values."""
        events: list[Event] = [record.event for record in consume(topic, settings=self.settings)]
        return [one for one in events if all(getattr(one, name, None) == value for name, value in wanted.items())]

    async def await_(self, topic: Topic, **wanted: Any) -> Any:
        """Return the first such event, once there is one."""
        await soon(lambda: bool(self.seen(topic, **wanted)), f"{topic.name} with {wanted}")
        return (await asyncio.to_thread(self.seen, topic, **wanted))[0]

    async def passes(self, second: int, bid: float) -> None:
        """Let a quote come in, and tell the trading path that time has reached it."""
        at = START + second * SECOND
        await asyncio.to_thread(publish, TICKS, [tick(at, bid), heartbeat(at)], self.settings)
        await asyncio.to_thread(publish, SIGNALS, [heartbeat(at)], self.settings)


def step_of(request: OrderRequest) -> Step:
    """Return the step of a request, as the sink's rows give it."""
    shown = {"symbol": request.symbol, "venue": request.venue, "deployment": request.deployment}
    times = (request.ts_event, request.ts_ingest)
    return Step("request", request.event_id, *times, shown, cause=request.causation_id, quote_us=request.quote_ts)


async def test_an_order_by_hand_reaches_the_ledger_once_and_its_cancel_ends_it(settings: Settings) -> None:
    """A halt denies the next one with its reason, and the journals of all agents repeat what they did."""

    async def run(command: Any, *arguments: str) -> None:
        done = await asyncio.to_thread(CliRunner().invoke, command, arguments, env=environment(settings))
        assert done.exit_code == 0, done.output

    await run(prepare)
    door = await asyncio.to_thread(Door, settings)
    makes = (tenancy, sizing, risk, execution, portfolio)
    stop, codec = asyncio.Event(), await asyncio.to_thread(open_codec, settings)
    running = asyncio.ensure_future(run_agents([make(settings) for make in makes], settings, codec, stop=stop))
    try:
        await door.passes(0, 1.1)
        await door.await_(ORDER_REQUESTS, ts_event=START)  # sizing knows how far time is
        bought = await door.submit("1")
        connection = await connect(settings)
        await connection.execute("UPDATE commands SET status = NULL, answer = NULL")  # killed before it could answer
        await connection.close()
        assert await door.submit("1") == bought
        decision = await door.await_(DECISIONS, order_id=bought)
        assert isinstance(decision, Decision)
        assert (decision.outcome, decision.deployment, decision.quantity) == ("APPROVED", BY_HAND, 1000)
        assert decision.ts_event > START, "the quote of its time was seen"
        await door.passes(1, 1.2)
        fill = await door.await_(FILLS, order_id=bought)
        assert isinstance(fill, Fill)
        assert fill.ts_event == START + SECOND
        position = await door.await_(POSITIONS, quantity=Decimal(1000))
        assert isinstance(position, Position)

        resting = await door.submit("2", REST, LATER)
        assert (await door.await_(DECISIONS, order_id=resting)).outcome == "APPROVED"
        await door.await_(ORDER_EVENTS, order_id=resting, status="ACCEPTED")
        ending = Cancel(order_id=resting, reason="changed my mind")
        open_order = {**PLACE, "status": "ACCEPTED", "reason": ""}
        await door.give("3", ending, partial(cancelled, ending, open_order))
        ended = await door.await_(ORDER_EVENTS, order_id=resting, status="CANCELED")
        assert isinstance(ended, OrderEvent)
        assert ended.reason == "changed my mind"

        await run(halt, "alpha", "--reason", "too fast")
        denied = await door.await_(DECISIONS, order_id=await door.submit("4", BUY, LATER))
        assert (denied.outcome, denied.codes) == ("DENIED", ("KILL_SWITCH",))
        assert "too fast" in denied.reason
        await door.passes(2, 1.0)
        await door.await_(DECISIONS, ts_event=START + 2 * SECOND)
    finally:
        stop.set()
        await running
        await door.commands.close()
    submitted = [event for event in door.seen(ORDER_COMMANDS) if isinstance(event, SubmitOrder)]
    assert len(submitted) == 3, "one for each key"
    assert len([event for event in door.seen(AUDIT) if isinstance(event, AuditEvent)]) == 4
    assert [fill.order_id for fill in door.seen(FILLS)] == [bought]
    (request,) = door.seen(ORDER_REQUESTS, order_id=bought)
    before = Traces(settings, codec, cast("Any", None))._from_kafka([step_of(request)], [])
    assert [(step.kind, step.id) for step in before] == [("command", request.causation_id), ("quote", "")]
    agents = [make(settings) for make in makes]
    assert [letter for agent in agents for letter in consume(dead_letter_topic(agent), settings=settings)] == []
    for make, agent in zip(makes, agents, strict=True):
        found = [verify(make, settings, codec, at) for at in range(agent.partitions)]
        assert [task.text() for task in found if task.difference is not None] == []
        assert sum(task.records for task in found) > 0
