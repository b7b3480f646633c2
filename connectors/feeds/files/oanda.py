"""Quotes of OANDA in LEAN's files: a zip of one `YYYYMMDD_symbol_tick_quote.csv`.

A line is `milliseconds since midnight UTC,bid,ask`, without a header.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import polars as pl

from tradewind.connectors.feeds.feed import UnknownFormat, UnknownSymbol
from tradewind.connectors.feeds.files.archive import Chunk, digest, verify, zip_member, zip_opener
from tradewind.connectors.feeds.files.file_feed import FileFeed
from tradewind.connectors.feeds.files.parsed import MALFORMED, TICK, Parsed, quote_faults
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS, unknown

VENUE = "OANDA"
MEMBER = re.compile(r"^(?P<date>\d{8})_(?P<symbol>[a-z0-9]{3,20})_tick_quote\.csv$")
DAY_US = 86_400_000_000
NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"  # no sign, exponent, nan or inf: none of them is a price or a time of day
LINE = rf"^({NUMBER}),({NUMBER}),({NUMBER})\r?$"
NAMES = ("time", "bid", "ask")
SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", " ": "spaces"}
EPOCH_DIGITS = {10: "seconds", 13: "milliseconds", 16: "microseconds", 19: "nanoseconds"}
"""Digits of a time since 1970 in the years from 2001 to 2286 -> its unit."""


def open_oanda(path: Path, symbols: frozenset[str] = KNOWN_SYMBOLS) -> FileFeed:
    """Return the feed of a LEAN file of quotes; raises a `FeedError` where it is none, or damaged."""
    member = zip_member(path)
    match = MEMBER.match(PurePosixPath(member).name)
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
        raise UnknownFormat(f"{path}: {match['date']} in {member!r} is not a date (YYYYMMDD)") from None
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
        pl.when(pl.col("time").is_null() | (day >= DAY_US)).then(pl.lit(MALFORMED)).alias("form"),
    ).with_columns(pl.coalesce("form", quote_faults()).alias("reason"))
    rows = rows.with_columns(pl.when(pl.col("reason").is_null()).then(pl.lit(TICK)).alias("kind")).drop("form")
    return Parsed(chunk.first, chunk.lines, rows, diagnose)


def diagnose(text: str) -> str:
    """Say where a line departs from `milliseconds,bid,ask`."""
    text = text.rstrip("\r")
    columns = text.split(",")
    if not re.search(r"[0-9]", text) and len(re.split(r"[,;\t|]", text)) >= len(NAMES):
        return f"a header, where quotes have none: {text[:40]!r}"
    for separator, name in SEPARATORS.items():
        parts = text.split(separator)
        if len(parts) >= len(NAMES) and sum(any(map(str.isdigit, part)) for part in parts) >= len(NAMES) - 1:
            decimals = ", and its decimals by ',' instead of '.'" if "," in text else ""
            return f"its columns are separated by {name} instead of ','{decimals}: export it with ',' and '.'"
    if len(columns) in {5, 6} and all(value.isdigit() for value in columns):
        return "its decimals are separated by ',' instead of '.': export it with '.'"
    if len(columns) != len(NAMES):
        return f"{len(columns)} columns; a quote has 3: milliseconds since midnight, bid, ask"
    for name, value in zip(NAMES, columns, strict=True):
        if name == "time" and re.search(r"[0-9][-/:][0-9]", value):
            return f"its time is not in milliseconds since midnight UTC: {value[:30]!r}"
        if name == "time" and (unit := EPOCH_DIGITS.get(len(value.partition(".")[0]))):
            return f"its time is in {unit} since 1970, and not in milliseconds since midnight UTC: {value[:20]!r}"
        if not re.fullmatch(NUMBER, value):
            return f"{name} is not a positive number: {value[:20]!r}"
    return f"its time is past the end of the day, in milliseconds since midnight UTC: {columns[0][:20]!r}"
