"""The real files through the whole pipeline: everything balances, at any speed, and after any process was killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger import Ledger, postgres_rows, questdb_count, read_all, read_orders
from pipeline import Pipeline

from tradewind.connectors.settings import Settings
from tradewind.infra.services.stack import Stack

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EURUSD, XAUUSD = DATA / "oanda-eurusd-quotes-20140501.zip", DATA / "oanda-xauusd-quotes-20140501.zip"
BTCUSDT = DATA / "binance-usdm-btcusdt-20240808.gz"
TICKS = {"EURUSD": 24_179, "XAUUSD": 129_744}
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real market data is not beside this checkout")
pytestmark = [needs_data, pytest.mark.timeout(1500)]
STILL_S = 150  # without anything new; how long it all takes is the machine's matter
SETTLE_POLL_S = 3.0  # each look reads all that came of the ticks
QUESTDB_S = 90


@pytest.fixture
def pipeline(settings: Settings, database: object, tmp_path: Path) -> Iterator[Pipeline]:
    """Give a pipeline whose workers are ready to be started, and end it after the test."""
    own = Pipeline(settings, tmp_path)
    try:
        yield own
    finally:
        own.stop()


def settle(pipeline: Pipeline, instruments: int) -> None:
    """Wait until all that the feeds caused has come to its end."""
    seen = read_orders(pipeline.settings)

    def settled() -> bool:
        nonlocal seen
        seen = read_orders(pipeline.settings)
        return seen.settled(instruments)

    pipeline.wait_until(settled, "every order's end", STILL_S, SETTLE_POLL_S, lambda: seen.counts)


async def check(pipeline: Pipeline, ticks: int) -> Ledger:
    """Check that Kafka, PostgreSQL and QuestDB agree with the sources and with each other."""
    settings = pipeline.settings
    ledger = read_all(settings)
    assert len(ledger.ticks) == len({(tick.symbol, tick.venue, tick.seq) for tick in ledger.ticks}) == ticks
    ledger.check_bars()
    ledger.check_orders()
    ledger.check_positions()
    stored = {
        "order_requests": len(ledger.requests),
        "decisions": len(ledger.decisions),
        "order_events": len(ledger.order_events),
        "fills": len(ledger.fills),
        "positions": len(ledger.last_positions()),
    }
    rows: dict[str, int] = {}
    deadline = time.monotonic() + 30
    while rows != stored and time.monotonic() < deadline:
        rows = {table: (await postgres_rows(settings, f"SELECT count(*) FROM {table}"))[0][0] for table in stored}
    assert rows == stored
    unequal = """
        SELECT tenant_id, account_id, symbol, venue FROM positions p FULL JOIN (
            SELECT tenant_id, account_id, symbol, venue,
                sum(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END) AS filled
            FROM fills GROUP BY 1, 2, 3, 4) f USING (tenant_id, account_id, symbol, venue)
        WHERE p.quantity IS DISTINCT FROM f.filled"""
    assert await postgres_rows(settings, unequal) == []
    pipeline.wait_until(lambda: questdb_count(settings, "ticks") == ticks, "ticks in QuestDB", QUESTDB_S)
    bars = len(ledger.bars)
    pipeline.wait_until(lambda: questdb_count(settings, "bars") == bars, "bars in QuestDB", QUESTDB_S)
    return ledger


async def test_the_files_balance_at_full_speed(pipeline: Pipeline) -> None:
    """Both files, as fast as they go: every count is the same in every place, and every denial code occurs."""
    pipeline.start_workers()
    pipeline.start("feed", "feed", str(EURUSD), str(XAUUSD), "--speed", "max")
    pipeline.finish("feed", STILL_S)
    settle(pipeline, 2)
    ledger = await check(pipeline, sum(TICKS.values()))
    for symbol, count in TICKS.items():
        assert sum(tick.symbol == symbol for tick in ledger.ticks) == count
    assert ledger.fills
    assert {fill.tenant_id for fill in ledger.fills} == {"alpha", "beta"}
    assert set(ledger.denials()) == {"STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION"}


async def test_a_halted_tenant_is_denied_and_the_other_trades_on(pipeline: Pipeline) -> None:
    """The kill switch denies every request of its tenant, and no request of another."""
    pipeline.run("prepare")
    pipeline.run("halt", "beta", "--reason", "a test of the switch")
    pipeline.start_workers()
    pipeline.start("feed", "feed", str(EURUSD), "--speed", "max")
    pipeline.finish("feed", STILL_S)
    settle(pipeline, 1)
    ledger = await check(pipeline, TICKS["EURUSD"])
    by_tenant = {tenant: [d for d in ledger.decisions if d.tenant_id == tenant] for tenant in ("alpha", "beta")}
    assert by_tenant["beta"]
    assert all("KILL_SWITCH" in decision.codes for decision in by_tenant["beta"])
    assert "a test of the switch" in by_tenant["beta"][0].reason
    assert any(decision.outcome == "APPROVED" for decision in by_tenant["alpha"])
    assert not any("KILL_SWITCH" in decision.codes for decision in by_tenant["alpha"])


async def test_everything_balances_after_each_process_was_killed(pipeline: Pipeline, stack: Stack) -> None:
    """Each worker, the feed and the broker are killed in the middle: nothing is lost, and nothing comes twice."""
    pipeline.start_workers()
    feed = ("feed", str(EURUSD), str(XAUUSD), "--speed", "4000")
    pipeline.start("feed", *feed)
    for name in pipeline.roles:
        await asyncio.sleep(1.0)
        pipeline.kill(name)
        pipeline.start(name)
    await asyncio.sleep(1.0)
    pipeline.kill("feed")
    stack.service("kafka").servers[0].kill()
    stack.restart("kafka")
    pipeline.start("feed", *feed)
    pipeline.finish("feed", STILL_S)
    settle(pipeline, 2)
    await check(pipeline, sum(TICKS.values()))


async def check_bitcoin(pipeline: Pipeline) -> None:
    """Check that every quote and trade of the recording is everywhere."""
    ledger = await check(pipeline, 66_089)
    assert len(ledger.trades) == 21_313
    assert len({trade.trade_id for trade in ledger.trades}) == 21_313
    pipeline.wait_until(lambda: questdb_count(pipeline.settings, "trades") == 21_313, "trades in QuestDB", QUESTDB_S)


async def test_bitcoin_is_whole_and_its_fills_do_not_depend_on_the_speed_of_the_replay(
    settings: Settings, database: object, tmp_path: Path
) -> None:
    """Raw frames give 66,089 quotes and 21,313 trades; the same orders fill at the same quotes at any speed."""
    prices = []
    for name, speed in (("max", "max"), ("paced", "10")):
        folder = tmp_path / name
        folder.mkdir()
        own = Pipeline(settings.model_copy(update={"namespace": f"{settings.namespace[:-1]}{name}."}), folder)
        try:
            own.start_workers()
            own.start("feed", "feed", str(BTCUSDT), "--speed", speed)
            own.finish("feed", STILL_S)
            settle(own, 1)
            if speed == "max":
                await check_bitcoin(own)
            ledger = read_orders(own.settings)
        finally:
            own.stop()
        prices.append((ledger.fill_prices(), {d.order_id: d.outcome for d in ledger.decisions}))
    (fast, fast_decisions), (paced, paced_decisions) = prices
    assert fast
    both = {order for order, outcome in fast_decisions.items() if outcome == paced_decisions[order] == "APPROVED"}
    assert {order: fast.get(order) for order in both} == {order: paced.get(order) for order in both}
    assert fast_decisions.keys() == paced_decisions.keys()
