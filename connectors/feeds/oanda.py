"""Quotes of OANDA in LEAN's files: a zip of one `YYYYMMDD_symbol_tick_quote.csv`.

A line is `milliseconds since midnight UTC,bid,ask`, without a header.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from tradewind.connectors.feeds.archive import Chunk, digest, verify, zip_member, zip_opener
from tradewind.connectors.feeds.feed import UnknownFormat, UnknownSymbol
from tradewind.connectors.feeds.file import FileFeed
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS, unknown
from tradewind.connectors.feeds.parsed import MALFORMED, TICK, Parsed, quote_faults

VENUE = "OANDA"
MEMBER = re.compile(r"^(?P<date>\d{8})_(?P<symbol>[a-z0-9]{3,20})_tick_quote\.csv$")
DAY_US = 86_400_000_000
NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"  # no sign, exponent, nan or inf: none of them is a price or a time of day
LINE = rf"^({NUMBER}),({NUMBER}),({NUMBER})\r?$"
NAMES = ("time", "bid", "ask")


def open_oanda(path: Path, symbols: frozenset[str] = KNOWN_SYMBOLS) -> FileFeed:
    """Return the feed of a LEAN file of quotes; raises a `FeedError` where it is none, or damaged."""
    member = zip_member(path)
    match = MEMBER.match(member)
    if match is None:
        raise UnknownFormat(
            f"{path}: holds {member!r}; the date and the symbol of quotes stand only in the name of the file inside, "
            "such as 20140501_eurusd_tick_quote.csv"
        )
    symbol = match["symbol"].upper()
    if symbol not in symbols:
        raise UnknownSymbol(f"{path}: {unknown(symbol, symbols)}; nothing was published")
    try:
        midnight = datetime.strptime(match["date"], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise UnknownFormat(f"{path}: {match['date']} in {member!r} is no date (YYYYMMDD)") from None
    start_us = int(midnight.timestamp()) * 1_000_000
    opener = zip_opener(path)
    verify(path, opener)
    return FileFeed(
        name=path.name,
        source=f"{path.name} sha256:{digest(path)}",
        opener=opener,
        parse=lambda chunk: parse(chunk, symbol, start_us),
        series=f"{symbol}.{VENUE}",
        begins_us=start_us,
    )


def parse(chunk: Chunk, symbol: str, midnight_us: int) -> Parsed:
    """Parse lines of one instrument on the day that begins at `midnight_us`."""
    groups = pl.Series("text", chunk.lines, dtype=pl.String).str.extract_groups(LINE).struct.unnest()
    values = groups.rename(dict(zip(groups.columns, NAMES, strict=True))).cast(pl.Float64)
    day = (pl.col("time") * 1000).round().cast(pl.Int64)
    rows = values.select(
        pl.int_range(chunk.first, chunk.first + pl.len(), dtype=pl.Int64).alias("line"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(VENUE).alias("venue"),
        pl.int_range(chunk.first, chunk.first + pl.len(), dtype=pl.Int64).alias("seq"),
        (day + midnight_us).alias("ts_event"),
        "bid",
        "ask",
        pl.lit(None, dtype=pl.Float64).alias("bid_size"),
        pl.lit(None, dtype=pl.Float64).alias("ask_size"),
        pl.when(pl.col("time").is_null())
        .then(pl.lit(MALFORMED))
        .when(day >= DAY_US)
        .then(pl.lit("its time is past the end of the day"))
        .alias("form"),
    ).with_columns(pl.coalesce("form", quote_faults()).alias("reason"))
    rows = rows.with_columns(pl.when(pl.col("reason").is_null()).then(pl.lit(TICK)).alias("kind")).drop("form")
    return Parsed(chunk.first, chunk.lines, rows, diagnose)


def diagnose(text: str) -> str:
    """Say where a line departs from `milliseconds,bid,ask`."""
    columns = text.rstrip("\r").split(",")
    if len(columns) != len(NAMES):
        return f"{len(columns)} columns; a quote has 3: milliseconds since midnight, bid, ask"
    for name, value in zip(NAMES, columns, strict=True):
        if not re.fullmatch(NUMBER, value):
            return f"{name} is not a positive number: {value[:20]!r}"
    return "not milliseconds,bid,ask"
