"""A backtest of a source that is not what it seems says so, and never takes a part of it for the whole in silence."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest
from backtesting import run_in

from tradewind.infra.cli.backtests.shown import text_of
from tradewind.streams.backtest.errors import DamagedSource

RECEIVED_NS = 1_723_161_254_000_000_000
QUOTE = {"u": 1, "s": "ETHUSDT", "b": "2600.1", "B": "1", "a": "2600.2", "A": "1"}
STRANGE = {"e": "newKind", "E": 1, "s": "ETHUSDT"}
KLINE = {"e": "kline", "E": RECEIVED_NS // 1_000_000, "s": "ETHUSDT", "k": {}}


def frames(folder: Path, *data: dict[str, object]) -> Path:
    """Write a file of frames of Binance, one each 100 ms."""
    path = folder / "ethusdt.gz"
    lines = (f"{RECEIVED_NS + at * 10**8} {json.dumps({'stream': 'x', 'data': of})}" for at, of in enumerate(data))
    path.write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    return path


def quotes(folder: Path, good: int, bad: int) -> Path:
    """Write an archive of good lines, and of lines with another separator after them."""
    path = folder / "eurusd.zip"
    with zipfile.ZipFile(path, "w") as file:
        lines = (
            f"{1000 + at * 100}{',' if at < good else ';'}1.38{',' if at < good else ';'}1.39"
            for at in range(good + bad)
        )
        file.writestr("20140511_eurusd_tick_quote.csv", "\n".join(lines))
    return path


def test_unknown_kinds_beside_quotes_are_in_the_result(tmp_path: Path) -> None:
    """With their number and the first of them, in the terminal and in the report."""
    found = run_in(tmp_path, "ema_crossover_1s", frames(tmp_path, QUOTE, QUOTE, STRANGE, KLINE, STRANGE))
    (source,) = found.summary["sources"]
    assert (source["ticks"], source["skipped"], source["unknown"]) == (2, 3, 2)
    assert source["first_unknown"].startswith("line 3, newKind: ")
    assert "2 records of unknown kinds (line 3, newKind: " in text_of(found)
    assert "2 records are of unknown kinds" in found.report.read_text("utf-8")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((STRANGE, STRANGE), r"0 quotes and trades, and 2 records of unknown kinds, the first: line 1, newKind: "),
        ((KLINE,), r"0 quotes and trades, and 1 records that are neither quotes nor trades\. Correct the file"),
    ],
)
def test_a_source_of_other_kinds_alone_is_refused(
    tmp_path: Path, data: tuple[dict[str, object], ...], said: str
) -> None:
    """As its feed fails."""
    with pytest.raises(DamagedSource, match=said):
        run_in(tmp_path, "ema_crossover_1s", frames(tmp_path, *data))
    assert not list((tmp_path / "backtests").glob("*"))


def test_more_rejected_than_read_is_refused(tmp_path: Path) -> None:
    """Half of a day is no day; less of it is reported, as before."""
    with pytest.raises(
        DamagedSource, match=r"9 quotes and trades, and 10 rejected lines, the first: line 10: its columns"
    ):
        run_in(tmp_path, "ema_crossover_1s", quotes(tmp_path, good=9, bad=10))
    found = run_in(tmp_path, "ema_crossover_1s", quotes(tmp_path, good=10, bad=10))
    assert "10 lines rejected (line 11: its columns" in text_of(found)
