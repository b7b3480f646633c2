"""A tenant reads its own orders, fills and positions from PostgreSQL, page by page, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tradewind.connectors.gateway.commands.orders import ENDED
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream.feed import Filter
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.postgres.connection import Connection, connect
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.settings import PostgresSettings, Settings

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
QUOTE = (Decimal("1.1"), Decimal("1.2"), NOON)


@pytest.fixture
async def reads(settings: Settings, database: PostgresSettings) -> AsyncIterator[Reads]:
    """Give the reads of a database in which two tenants have traded."""
    await asyncio.to_thread(migrate, settings)
    connection = await connect(settings)
    for number in range(5):
        await _order(connection, "alpha", f"a{number}", NOON + timedelta(seconds=number // 2))
    await _order(connection, "beta", "b0", NOON)
    await _decide(connection, "alpha", "a0", "DENIED", ["MAX_POSITION"])
    await _decide(connection, "alpha", "a1", "APPROVED", [])
    await _step(connection, "a1", 0, "ACCEPTED", 0)
    await _step(connection, "a1", 1, "FILLED", 7)
    await _decide(connection, "alpha", "a2", "APPROVED", [])
    await _fill(connection, "alpha", "a1")
    await _fill(connection, "beta", "b0")
    await _position(connection, "alpha", "EURUSD", 7)
    await _position(connection, "alpha", "GBPUSD", 0)
    await _position(connection, "beta", "EURUSD", 9)
    await connection.close()
    made = Reads(settings)
    yield made
    await made.close()


async def _order(connection: Connection, tenant: str, order: str, at: datetime) -> None:
    await connection.execute(
        "INSERT INTO order_requests VALUES ($1, $2, $3, $3, 'c', 'c', $4, 'main', 'EURUSD', 'SIM', 'd', 'TARGET', 7, "
        "1, 1, 'MARKET', NULL, NULL, 'IOC', NULL, 's', 's', $5, $6, $7)",
        *(f"request {order}", tenant, at, order, *QUOTE),
    )


async def _decide(connection: Connection, tenant: str, order: str, outcome: str, codes: list[str]) -> None:
    await connection.execute(
        "INSERT INTO decisions VALUES ($1, $2, $3, $3, 'c', 'c', $4, $5, 'why', $6, 'main', 'EURUSD', 'SIM', 'd', "
        "'BUY', 'MARKET', 7, NULL, 'IOC', NULL, 's', 's', $7, $8, $9)",
        *(f"decision {order}", tenant, NOON, outcome, codes, order, *QUOTE),
    )


async def _step(connection: Connection, order: str, sequence: int, status: str, filled: int) -> None:
    await connection.execute(
        "INSERT INTO order_events VALUES ($1, 'alpha', $2, $2, 'c', 'c', $3, 'main', 'EURUSD', 'SIM', $4, $5, $6, '')",
        *(f"step {order} {sequence}", NOON, order, sequence, status, Decimal(filled)),
    )


async def _fill(connection: Connection, tenant: str, order: str) -> None:
    await connection.execute(
        "INSERT INTO fills VALUES ($1, $2, $3, $3, 'c', 'c', $4, 'main', 'EURUSD', 'SIM', 'd', 'BUY', 7, 1.25, 0, "
        "'TAKER', $5, 's')",
        *(f"fill {order}", tenant, NOON, order, 2**60),
    )


async def _position(connection: Connection, tenant: str, symbol: str, quantity: int) -> None:
    await connection.execute(
        "INSERT INTO positions VALUES ($1, 'main', $2, 'SIM', 1, $3, $4, $4, 'c', 'c', $5, 1.25, 0, 0, 0, 1.25, 3)",
        *(tenant, symbol, f"position {tenant} {symbol}", NOON, Decimal(quantity)),
    )


async def test_a_tenant_reads_its_own_and_an_operator_reads_all(reads: Reads) -> None:
    """Money is text to the last digit; times are text; what is flat is left out unless it is asked for."""
    (position,) = await reads.positions("alpha", None, flat=False)
    assert (position["symbol"], position["quantity"], position["average_price"]) == ("EURUSD", "7", "1.25")
    assert position["ts_event"] == "2026-01-02T12:00:00.000000Z"
    assert len(await reads.positions("alpha", None, flat=True)) == 2
    assert len(await reads.positions(None, None, flat=False)) == 2
    assert await reads.positions("alpha", "other", flat=True) == []
    fills = await reads.fills("beta", None, None, Cursor(), 10)
    assert [row["order_id"] for row in fills.rows] == ["b0"]
    assert (await reads.orders("alpha", None, "b0", Cursor(), 10)).rows == []
    assert len((await reads.orders(None, None, "b0", Cursor(), 10)).rows) == 1


async def test_an_order_s_state_is_its_last_step(reads: Reads) -> None:
    """From the request over the decision to the venue's last word."""
    rows = (await reads.orders("alpha", None, None, Cursor(), 10)).rows
    assert {row["order_id"]: (row["status"], row["filled_quantity"], row["codes"]) for row in rows} == {
        "a0": ("DENIED", "0", ["MAX_POSITION"]),
        "a1": ("FILLED", "7", []),
        "a2": ("APPROVED", "0", []),
        "a3": ("REQUESTED", "0", []),
        "a4": ("REQUESTED", "0", []),
    }


async def test_open_orders_are_those_that_have_not_ended(reads: Reads) -> None:
    """Page by page, of the own tenant."""
    first = await reads.orders("alpha", None, None, Cursor(), 2, but=ENDED)
    assert first.next is not None
    rest = await reads.orders("alpha", None, None, Cursor(first.next), 2, but=ENDED)
    assert [[row["order_id"] for row in page.rows] for page in (first, rest)] == [["a4", "a3"], ["a2"]]
    assert rest.next is None


async def test_calls_of_models_and_their_costs_are_those_of_the_tenant(settings: Settings, reads: Reads) -> None:
    """Breakers are made of the calls of all tenants; an operator reads all costs."""
    connection = await connect(settings)
    for tenant, outcome in (("alpha", "OK"), ("beta", "TIMED_OUT")):
        await connection.execute(
            "INSERT INTO ai_attempts (event_id, tenant_id, ts_event, ts_ingest, correlation_id, causation_id, call_id, "
            "request_id, attempt, outcome, provider, model, input_tokens, cache_read_tokens, cache_write_tokens, "
            "output_tokens, counted, source, semantic, total_us) VALUES ($1, $1, now(), now(), 'c', 'c', $1, $1, 1, "
            "$2, 'p', 'm', 1, 0, 0, 1, true, 'PROVIDER', false, 250000)",
            *(tenant, outcome),
        )
        await connection.execute(
            "INSERT INTO ai_requests (event_id, tenant_id, ts_event, ts_ingest, correlation_id, causation_id, "
            "request_id, kind, request_type, reply_key, status, reason, provider, model, attempts, input_tokens, "
            "cache_read_tokens, cache_write_tokens, output_tokens, cost, suspense, currency, text_sha256, latency_us, "
            "makes_orders) VALUES ($1, $1, now(), now(), 'c', 'c', $1, 'CHAT', 'general', '', 'ANSWERED', '', 'p', "
            "'m', 1, 1, 0, 0, 1, 0.000021, 0, 'USD', '', 1, false)",
            tenant,
        )
    await connection.close()
    (own,) = await reads.calls("alpha", 1)
    assert (own.calls, own.failed, own.p50_ms) == (1, 0, 250.0)
    assert [(one.calls, one.failed) for one in await reads.calls(None, 1)] == [(2, 1)]
    assert sorted((one.call_id, one.outcome, one.took_us) for one in await reads.ended()) == [
        ("alpha", "OK", 250_000), ("beta", "TIMED_OUT", 250_000),
    ]  # fmt: skip
    (cost,) = await reads.costs("alpha", NOON)
    assert (cost["tenant_id"], cost["requests"], cost["cost"], cost["currency"]) == ("alpha", "1", "0.000021", "USD")
    assert len(await reads.costs(None, NOON)) == 2


async def test_pages_meet_without_a_gap_or_a_repeat(reads: Reads) -> None:
    """Newest first, also where several rows have one time."""
    seen: list[str] = []
    after = Cursor()
    for _ in range(5):
        page = await reads.orders("alpha", None, None, after, 2)
        seen += [row["order_id"] for row in page.rows]
        if page.next is None:
            break
        after = Cursor(page.next)
    assert seen == ["a4", "a3", "a2", "a1", "a0"]


async def test_what_stands_of_a_channel_comes_with_the_offsets_behind_it(reads: Reads, settings: Settings) -> None:
    """In one snapshot; the sink's partitions that have written nothing are left out."""
    connection = await connect(settings)
    await connection.execute(
        "INSERT INTO sink_positions (topic, partition, epoch, next_offset) "
        "VALUES ('execution.fills', 0, 1, 7), ('execution.fills', 1, 1, NULL), ('portfolio.positions', 0, 1, 9)"
    )
    await connection.close()
    fills = await reads.standing("fills", Filter("alpha"))
    assert fills is not None
    assert ([row["order_id"] for row in fills.rows], fills.offsets) == (["a1"], {0: 7})
    orders = await reads.standing("orders", Filter("alpha", frozenset({"EURUSD.SIM"}), "main"))
    assert orders is not None
    assert (len(orders.rows), orders.offsets) == (5, {})
    positions = await reads.standing("positions", Filter(None, frozenset({"GBPUSD.SIM"})))
    assert positions is not None
    assert (positions.rows, positions.offsets) == ([], {0: 9})
    assert await reads.standing("signals", Filter("alpha")) is None


async def test_without_postgresql_a_read_says_so(settings: Settings) -> None:
    """503, with what to do."""
    away = settings.model_copy(update={"postgres": PostgresSettings(url="postgresql://127.0.0.1:1/x")})
    with pytest.raises(Problem) as refused:
        await Reads(away).positions("alpha", None, flat=False)
    assert (refused.value.status, refused.value.code) == (503, "STORE_AWAY")
