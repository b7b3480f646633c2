"""Everything balances after any process was killed, and, with the whole recordings, at any speed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from days.ledger import decided, read_all, read_orders
from days.played import SETTLE_POLL_S, STILL_S, check, fed, settle
from days.recorded import EURUSD, WHOLE_BTCUSDT, WHOLE_EURUSD, WHOLE_XAUUSD, XAUUSD
from harness.distribution import own_brokers
from processes.pipeline import Pipeline
from runtime.timings import SHORT

from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.infra.services.embedded.kafka import Kafka

pytestmark = pytest.mark.timeout(600)
AT_FIRST, THEN = "150", "2000"
"""Slow enough that the feed outlives its broker's kill; then as fast as the killing is, 11 s."""
ON_THEIR_WAY = 2
"""Reports of a feed, one of each file, that may be of records from before the kill."""


@pytest.fixture
def pipeline(settings: Settings, database: object, tmp_path: Path) -> Iterator[Pipeline]:
    """Give a pipeline whose workers are ready to be started, and end it after the test."""
    own = Pipeline(settings, tmp_path, SHORT)
    try:
        yield own
    finally:
        own.stop()


@pytest.mark.long
async def test_the_whole_files_balance_at_full_speed(pipeline: Pipeline) -> None:
    """Both files, as fast as they go: every count is the same in every place, and every denial code occurs."""
    files = (WHOLE_EURUSD, WHOLE_XAUUSD)
    for file in files:
        file.needed()
    pipeline.start_workers()
    fed(pipeline, files)
    ledger = read_all(pipeline.settings)
    await check(pipeline.settings, ledger, files)
    assert {fill.tenant_id for fill in ledger.fills} == {"alpha", "beta"}
    assert set(ledger.denials()) == {"STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION"}


@own_brokers
async def test_everything_balances_after_each_process_was_killed(
    settings: Settings, database: object, broker: Kafka, tmp_path: Path
) -> None:
    """The broker, the feed, which outlives it, and each worker are killed: nothing is lost, and nothing comes twice."""
    own = settings.model_copy(update={"kafka": KafkaSettings(bootstrap=broker.bootstrap)})
    pipeline = Pipeline(own, tmp_path, SHORT)
    feed = ("feed", str(EURUSD.path), str(XAUUSD.path), "--speed")
    try:
        pipeline.start_workers()
        pipeline.start("feed", *feed, AT_FIRST)
        # A worker that starts without a broker gives up, and `up` is not here to start it again.
        pipeline.wait_until(lambda: decided(pipeline.settings), "all workers are up", STILL_S, SETTLE_POLL_S)
        broker.servers[0].kill()
        broker.start()
        told = pipeline.reports("feed") + ON_THEIR_WAY
        pipeline.wait_until(lambda: pipeline.reports("feed") > told, "the feed goes on without a restart", STILL_S)
        pipeline.kill("feed")
        pipeline.start("feed", *feed, THEN)
        for name in pipeline.roles:
            await asyncio.sleep(1.0)
            pipeline.kill(name)
            pipeline.start(name)
        pipeline.finish("feed", STILL_S)
        settle(pipeline, 2)
        await check(pipeline.settings, read_all(pipeline.settings), (EURUSD, XAUUSD))
    finally:
        pipeline.stop()


@pytest.mark.long
async def test_bitcoin_is_whole_and_its_fills_do_not_depend_on_the_speed_of_the_replay(
    settings: Settings, database: object, tmp_path: Path
) -> None:
    """Raw frames give 66,089 quotes and 21,313 trades; the same orders fill at the same quotes at any speed."""
    WHOLE_BTCUSDT.needed()
    prices = []
    for name, speed in (("max", "max"), ("paced", "10")):
        folder = tmp_path / name
        folder.mkdir()
        own = Pipeline(settings.model_copy(update={"namespace": f"{settings.namespace[:-1]}{name}."}), folder)
        try:
            own.start_workers()
            fed(own, (WHOLE_BTCUSDT,), speed)
            if speed == "max":
                ledger = read_all(own.settings)
                await check(own.settings, ledger, (WHOLE_BTCUSDT,))
                assert len({trade.trade_id for trade in ledger.trades}) == len(ledger.trades) == WHOLE_BTCUSDT.trades
            ledger = read_orders(own.settings)
        finally:
            own.stop()
        prices.append((ledger.fill_prices(), {d.order_id: d.outcome for d in ledger.decisions}))
    (fast, fast_decisions), (paced, paced_decisions) = prices
    assert fast
    both = {order for order, outcome in fast_decisions.items() if outcome == paced_decisions[order] == "APPROVED"}
    assert {order: fast.get(order) for order in both} == {order: paced.get(order) for order in both}
    assert fast_decisions.keys() == paced_decisions.keys()
