"""Tenants and deployments by commands on real services: made, refused, suspended; no order waits or is lost for it."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal

import pytest
from click import Command
from click.testing import CliRunner, Result
from processes.pipeline import environment
from processing import request

from tradewind.connectors.kafka import consume, publish
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.processes.prepare import prepare
from tradewind.infra.cli.trading.halt import halt
from tradewind.infra.cli.trading.strategies import strategies
from tradewind.infra.cli.trading.tenants import tenants
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.streams.ai import ai
from tradewind.streams.billing import rating
from tradewind.streams.portfolio import sizing
from tradewind.streams.risk import risk
from tradewind.streams.runtime import run_agents
from tradewind.streams.runtime.agent import dead_letter_topic
from tradewind.streams.tenancy import tenancy
from tradewind.topics import DECISIONS, ORDER_REQUESTS

SOON_S = 60.0
GOLD = ("--param", "fast=5", "instruments=XAUUSD", "sizing=UNITS", "size=10")
GAMMA = ("accounts=main,hedge", "risk_per_trade=20", "max_order_notional=5000", "max_position_notional=90000")

pytestmark = pytest.mark.usefixtures("database")


def asked(number: int, tenant_id: str, account_id: str = "main") -> OrderRequest:
    """Return a request that every limit allows."""
    return request(number, tenant_id=tenant_id, account_id=account_id, quantity=Decimal(1000), quote_ask=Decimal("1.1"))


async def test_tenants_change_while_their_orders_flow(settings: Settings) -> None:
    """From a first start against a full topic to the end of a tenant."""

    async def run(command: Command, *arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, command, arguments, env=environment(settings))

    async def ordered(*orders: OrderRequest) -> dict[str, tuple[str, ...]]:
        await asyncio.to_thread(publish, ORDER_REQUESTS, orders, settings)
        return await asyncio.to_thread(decided, settings, {order.order_id for order in orders})

    prepared = await run(prepare)
    assert "2 tenants of the settings are created" in prepared.output, prepared.output
    assert "are created" not in (await run(prepare)).output
    before = [asked(number, "alpha") for number in range(20)]
    await asyncio.to_thread(publish, ORDER_REQUESTS, [*before, asked(20, "gamma")], settings)

    stop, codec = asyncio.Event(), await asyncio.to_thread(open_codec, settings)
    agents = [tenancy(settings), sizing(settings), risk(settings), ai(settings), rating(settings)]
    running = asyncio.ensure_future(run_agents(agents, settings, codec, stop=stop))
    try:
        codes = await asyncio.to_thread(decided, settings, {f"order-{number}" for number in range(21)})
        assert set(codes.pop("order-20")) == {"UNKNOWN_TENANT"}
        assert set(codes.values()) == {()}, "none was decided before the tenants had come"

        refused = await run(tenants, "create", "gamma", "accounts=main", "colour=red", "risk_per_trade=much")
        assert refused.exit_code == 1
        for code in ("UNKNOWN_KEY colour", "INVALID_VALUE risk_per_trade", "MISSING_KEY max_order_notional"):
            assert code in refused.output
        created = await run(tenants, "create", "gamma", *GAMMA)
        assert json.loads(created.stdout)["accounts"] == ["hedge", "main"], created.output
        assert "trades nothing until a strategy is deployed" in created.stderr
        listed = await run(strategies, "list", "--tenant", "gamma")
        assert "no strategy is deployed for gamma, so nothing is traded" in listed.output
        made = await run(strategies, "deploy", "gamma/main/gold", "ema_crossover_1s", *GOLD)
        told = json.loads(made.output)
        assert (told["status"], told["revision"], told["instruments"]) == ("ACTIVE", 1, ["XAUUSD"])
        assert json.loads(told["parameters"]) == {"fast": 5}
        refused = await run(strategies, "deploy", "gamma/other/gold", "ema_crossover_1s", "--param", "fats=5")
        assert (refused.exit_code, "NO_SUCH_ACCOUNT" in refused.output) == (1, True)
        paused = await run(strategies, "pause", "gamma/main/gold")
        assert (json.loads(paused.output)["status"], json.loads(paused.output)["revision"]) == ("PAUSED", 2)
        stopped = await run(strategies, "resume", "gamma/main/silver")
        assert (stopped.exit_code, "NO_SUCH_DEPLOYMENT" in stopped.output) == (1, True)
        waited = await run(tenants, "wait", "gamma")
        assert "revision 1 of gamma is in force in 13 of 13 tasks" in waited.output, waited.output
        found = await ordered(asked(21, "gamma"), asked(22, "gamma", "hedge"), asked(23, "gamma", "other"))
        assert found == {"order-21": (), "order-22": (), "order-23": ("UNKNOWN_ACCOUNT",)}

        suspended = await run(tenants, "suspend", "gamma")
        assert json.loads(suspended.output)["status"] == "SUSPENDED"
        stale = await run(tenants, "set", "gamma", "tier=gold", "--revision", "1")
        assert (stale.exit_code, "STALE_REVISION" in stale.output) == (1, True)
        await run(tenants, "wait", "gamma")
        assert await ordered(asked(24, "gamma")) == {"order-24": ("TENANT_SUSPENDED",)}
        assert "gamma   SUSPENDED  2" in (await run(tenants, "list")).output
        assert "gamma is halted" in (await run(halt, "gamma")).output
        assert not [letter for agent in agents for letter in consume(dead_letter_topic(agent), settings=settings)]
    finally:
        stop.set()
        await running


def decided(settings: Settings, orders: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the codes against each of some orders, once all are decided."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        found = {
            record.event.order_id: tuple(record.event.codes)
            for record in consume(DECISIONS, settings=settings)
            if isinstance(record.event, Decision) and record.event.order_id in orders
        }
        if found.keys() == orders:
            return found
        time.sleep(0.2)
    raise AssertionError(f"undecided: {sorted(orders - found.keys())}")
