"""A backtest from Kafka: what retention has removed is named, and what is no quote is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from processing import tick
from runtime.cluster import delete_records

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Heartbeat
from tradewind.streams.backtest.errors import Gone, NoTicks
from tradewind.streams.backtest.planning import planned
from tradewind.streams.backtest.run import run
from tradewind.streams.backtest.stored import opened
from tradewind.topics import TICKS

SECOND = 1_000_000
START = 1_398_902_400 * SECOND
KEPT = 40


def result(settings: Settings, folder: Path, **changes: Any) -> Any:
    """Run a backtest from Kafka."""
    with opened(planned("ema_crossover_1s", ["kafka"], settings=settings, **changes), folder) as plan:
        return run(plan, folder)


def test_what_retention_has_removed_is_named(settings: Settings, tmp_path: Path) -> None:
    """The first offset that is left; with a later start the rest is run, and without one the result notes it."""
    ensure(settings, [TICKS])
    ticks = [tick(START + n * SECOND, 1.0 + n / 1000, symbol="EURUSD", seq=n) for n in range(100)]
    beat = Heartbeat(symbol="EURUSD", venue=ticks[0].venue, ts_event=START, ts_ingest=START)
    publish(TICKS, [*ticks[:60], beat, *ticks[60:]], settings)
    (partition,) = {record.partition for record in consume(TICKS, settings=settings)}
    delete_records(settings, TICKS, partition, KEPT)
    named = f"partition {partition}, begins at offset {KEPT}, and its earliest quote is of 2014-05-01T00:00:40"
    with pytest.raises(Gone, match=named):
        result(settings, tmp_path, start=START)
    with pytest.raises(NoTicks, match=r"there is no quote of XAUUSD in the range: retention has removed"):
        result(settings, tmp_path, symbols=["XAUUSD"])
    later = result(settings, tmp_path, start=START + KEPT * SECOND)
    assert later.summary["counts"]["ticks"] == 100 - KEPT
    assert later.summary["data"]["notes"] == []
    whole = result(settings, tmp_path)
    assert whole.summary["counts"]["ticks"] == 100 - KEPT
    assert f"partition {partition} begins at offset {KEPT}" in whole.summary["data"]["notes"][0]
    assert "retention has removed" in whole.report.read_text()
    assert not list((tmp_path / "backtests").glob(".*"))
