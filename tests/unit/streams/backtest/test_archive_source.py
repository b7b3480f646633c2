"""A backtest from the archive is the one from the file that the quotes came from, and needs no service."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from backtesting import run_in
from confluent_kafka import Message
from days.recorded import EURUSD, XAUUSD, Recording
from sinks.archiving import TOPIC, settings_for, write
from sinks.influx_writing import CODEC

from tradewind.connectors.archive import DamagedFile, listed
from tradewind.connectors.feeds import Bounds, SourcePosition, open_feed
from tradewind.schemas.codec import MODELS, SCHEMAS
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.backtest.errors import Gone

TEXTS = {str(number): SCHEMAS[name][-1] for number, name in enumerate(MODELS, 1)}
SHORT = {"start": "2014-05-01", "stop": "2014-05-01T00:20", "tenant": "alpha"}
INGESTED_MS = 1_728_000_000_000


def archive(folder: Path, recording: Recording, partition: int, first: int = 0) -> None:
    """Write the quotes of a recording as two files, with a heartbeat among them."""
    blocks = open_feed(str(recording.path)).read(SourcePosition(), Bounds(100_000, 2**62))
    ticks = pl.concat([block.ticks for block in blocks]).with_columns(ts_ingest=pl.lit(INGESTED_MS * 1000))
    values = [
        CODEC.encode(Heartbeat(symbol="X", venue="Y", ts_event=1, ts_ingest=1)),
        *CODEC.encode_columns(Tick, ticks),
    ]
    key = ".".join(ticks.select("symbol", "venue").row(0)).encode()
    records = [
        Message(
            topic=TOPIC,
            partition=partition,
            offset=first + at,
            key=key,
            value=value,
            timestamp=(1, INGESTED_MS),
            headers=None,
        )
        for at, value in enumerate(values)
    ]
    write(folder, records[:1000], partition=partition, schemas=TEXTS)
    write(folder, records[1000:], partition=partition, schemas=TEXTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an archive of two instruments."""
    found = tmp_path / "archive"
    archive(found, EURUSD, 0)
    archive(found, XAUUSD, 2)
    return found


def test_orders_and_trades_are_those_of_the_files(tmp_path: Path, folder: Path) -> None:
    """To the last byte."""
    settings = settings_for(tmp_path)
    one = run_in(tmp_path / "a", "ema_crossover_1s", EURUSD.path, XAUUSD.path, **SHORT)
    other = run_in(tmp_path / "b", "ema_crossover_1s", Path("archive"), settings=settings, **SHORT)
    assert one.summary["counts"] == other.summary["counts"]
    assert one.summary["counts"]["fills"] > 5
    assert one.orders.equals(other.orders)
    assert one.trades.equals(other.trades)
    assert not list((tmp_path / "b" / "backtests").glob(".*"))


def test_a_hole_is_noted_and_a_lost_beginning_or_a_damaged_file_refused(tmp_path: Path, folder: Path) -> None:
    """Each with its file or its offsets."""
    settings = settings_for(tmp_path)
    archive(folder, EURUSD, 0, first=10_000)
    noted = run_in(tmp_path / "b", "ema_crossover_1s", Path("archive"), settings=settings, **SHORT)
    assert noted.summary["data"]["notes"] == ["offsets 4,001 to 9,999 of market.ticks/0 are in no file"]
    files = listed(folder, TOPIC)[0].files
    files[1].path.write_bytes(files[1].path.read_bytes()[:-5])
    with pytest.raises(DamagedFile, match=files[1].path.name):
        run_in(tmp_path / "b", "ema_crossover_1s", Path("archive"), settings=settings, **SHORT)
    files[1].path.unlink()
    listed(folder, TOPIC)[2].files[0].path.unlink()
    with pytest.raises(Gone, match="partition 2, begins at offset 1,000"):
        run_in(tmp_path / "b", "ema_crossover_1s", Path("archive"), settings=settings, **SHORT)
