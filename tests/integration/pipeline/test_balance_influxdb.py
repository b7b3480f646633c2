"""The recordings through the whole pipeline with InfluxDB as the store, and its sink killed in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from days.ledger import read_all
from days.played import STILL_S, check, settle
from days.recorded import EURUSD, WHOLE_EURUSD, WHOLE_XAUUSD, Recording
from influx_double import Double
from processes.pipeline import Pipeline

from tradewind.connectors.settings import InfluxSettings, Settings

SINK = "sink-influxdb"
WRITTEN_S = 60.0
MOST_BYTES, LATENCY_S = 30_000, 0.05
"""Some 250 lines a request, which take a while: else a part of a day is written at once, and has no middle."""


async def balances(
    settings: Settings, folder: Path, files: Sequence[Recording], kills: int, **server: float
) -> dict[str, int]:
    """Feed recordings, kill the sink while they flow, check that nothing is lost or doubled; return the counts."""
    with Double(**server) as double:
        influx = InfluxSettings(url=double.url, token=double.token, org=double.org)
        own = settings.model_copy(update={"influx": influx})
        pipeline = Pipeline(own, folder)
        assert SINK in pipeline.roles
        assert "sink-questdb" not in pipeline.roles
        try:
            await asyncio.to_thread(pipeline.start_workers)
            pipeline.start("feed", "feed", *(str(file.needed()) for file in files), "--speed", "max")
            ticks = sum(file.ticks for file in files)
            killed = await asyncio.to_thread(_kill, pipeline, double, own, ticks, kills)
            await asyncio.to_thread(pipeline.finish, "feed", STILL_S)
            await asyncio.to_thread(settle, pipeline, len(files))
            ledger = await asyncio.to_thread(read_all, own)
            await check(own, ledger, files)
        finally:
            await asyncio.to_thread(pipeline.stop)
    return {"kills": killed, "ticks": len(ledger.ticks), "bars": len(ledger.bars), "fills": len(ledger.fills)}


def _kill(pipeline: Pipeline, double: Double, settings: Settings, ticks: int, kills: int) -> int:
    """Kill the sink with -9 whenever some more of the ticks are written, and start it again; return how often."""
    name = settings.physical("ticks").replace(".", "_")

    def written() -> int:
        bucket = double.buckets.get("tradewind")
        return 0 if bucket is None else bucket.points(name)

    for kill in range(1, kills + 1):
        begun = written()
        pipeline.wait_until(lambda: written() > begun, "ticks in InfluxDB", WRITTEN_S, 0.01)  # noqa: B023
        pipeline.kill(SINK)
        assert written() < ticks or kill > 1, "the sink was too fast to be killed in the middle"
        pipeline.start(SINK)
        if written() >= ticks:
            return kill
    return kills


@pytest.mark.timeout(600)
async def test_a_part_of_a_day_balances_with_its_sink_killed(
    settings: Settings, database: object, tmp_path: Path
) -> None:
    """Every tick and bar is there once, and all other stores agree."""
    await balances(settings, tmp_path, (EURUSD,), kills=1, most_bytes=MOST_BYTES, latency_s=LATENCY_S)


@pytest.mark.long
@pytest.mark.timeout(1500)
async def test_the_whole_days_balance_with_the_sink_killed_five_times(
    settings: Settings, database: object, tmp_path: Path, evidence: Callable[[int, Mapping[str, int]], None]
) -> None:
    """EURUSD and XAUUSD of one day, 153,923 ticks."""
    evidence(1, await balances(settings, tmp_path, (WHOLE_EURUSD, WHOLE_XAUUSD), kills=5))
