"""Frames of Binance's futures streams, `receive_ns {json}`, one a line of a gzip file.

Book tickers are quotes, trades are trades; order book updates and snapshots are skipped, and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tradewind.connectors.feeds.archive import Chunk, chunks, digest, gzip_opener, verify
from tradewind.connectors.feeds.feed import UnknownFormat, UnknownSymbol
from tradewind.connectors.feeds.file import FileFeed
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS, unknown
from tradewind.connectors.feeds.parsed import MALFORMED, SKIPPED, TICK, TRADE, Parsed, quote_faults, trade_faults

VENUE = "BINANCE"
AHEAD_NS = (
    5_000_000_000  # the exchange's clock was seen 1.3 s ahead of a receiver's; a time further ahead is no clock's
)
NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"  # no sign, exponent, nan or inf: none of them is a price or a size
RECEIVED = r"[1-8][0-9]{18}"  # ns since 1970 that fit in 64 bits
MILLIS = r"[0-9]{13}"
HEAD = rf'^(?P<receive_ns>{RECEIVED}) \{{"stream":"[^"\\]*","data":\{{'
SYMBOL = r'"s":"(?P<symbol>[A-Z0-9]{1,20})"'
TIME = rf'"T":(?P<time_ms>{MILLIS})'
BOOK_TICKER = (
    HEAD + rf'"e":"bookTicker","u":[0-9]{{1,19}},{SYMBOL},"b":"(?P<bid>{NUMBER})","B":"(?P<bid_size>{NUMBER})",'
    rf'"a":"(?P<ask>{NUMBER})","A":"(?P<ask_size>{NUMBER})",{TIME},"E":{MILLIS}\}}\}}\r?$'
)
TRADE_FRAME = (
    HEAD + rf'"e":"trade","E":{MILLIS},{TIME},{SYMBOL},"t":(?P<trade_id>[0-9]{{1,19}}),"p":"(?P<price>{NUMBER})",'
    rf'"q":"(?P<size>{NUMBER})","X":"[A-Z_]{{1,20}}","m":(?P<maker>true|false)\}}\}}\r?$'
)
"""The frames as the exchange writes them. Others, such as those with another order of keys, are read one by one."""
DEPTH = HEAD + r'"e":"depthUpdate",.*\}\}\r?$'
TEXT_FIELDS = (
    "receive_ns",
    "time_ms",
    "symbol",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "trade_id",
    "price",
    "size",
    "maker",
)
BOOK_KEYS = {"symbol": "s", "time_ms": "T", "bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"}
TRADE_KEYS = {"symbol": "s", "time_ms": "T", "trade_id": "t", "price": "p", "size": "q", "maker": "m"}
FORMS = {
    **dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "price", "size"), re.compile(NUMBER)),
    "symbol": re.compile(r"[A-Z0-9]{1,20}"),
    "time_ms": re.compile(MILLIS),
    "trade_id": re.compile(r"[0-9]{1,19}"),
    "maker": re.compile(r"true|false"),
}
SCHEMA = {"line": pl.Int64, "kind": pl.String, "reason": pl.String, **dict.fromkeys(TEXT_FIELDS, pl.String)}
"""A line of either kind, its values still as the frame writes them."""


def open_binance(path: Path, symbols: frozenset[str] = KNOWN_SYMBOLS) -> FileFeed:
    """Return the feed of a file; raises a `FeedError` where it has no frames, is damaged, or has no known symbol."""
    opener = gzip_opener(path)
    verify(path, opener)
    series, begins_us = _recognise(path, next(chunks(opener)), symbols)
    return FileFeed(
        name=path.name,
        source=f"{path.name} sha256:{digest(path)}",
        opener=opener,
        parse=lambda chunk: parse(chunk, symbols),
        series=series,
        begins_us=begins_us,
    )


def _recognise(path: Path, chunk: Chunk, symbols: frozenset[str]) -> tuple[str, int]:
    """Return the symbols of the first lines, and the receipt of the first frame, µs.

    Raises where the first lines hold no frame at all, or none of a known symbol.
    """
    found = _texts(chunk)
    frames = found.filter(pl.col("kind").is_not_null())
    if frames.is_empty():
        raise UnknownFormat(
            f"{path}: none of its first {len(chunk.lines):,} lines is a frame of Binance, `receive_ns {{json}}`; "
            "nothing was published"
        )
    named = set(found["symbol"].drop_nulls().unique())
    if named and not named & symbols:
        raise UnknownSymbol(f"{path}: {unknown(', '.join(sorted(named)), symbols)}; nothing was published")
    quoted = "+".join(sorted(named & symbols))
    # Books alone tell no symbol.
    return f"{quoted or path.name}.{VENUE}", _receipt_ns(frames, chunk) // 1000


def _receipt_ns(frames: pl.DataFrame, chunk: Chunk) -> int:
    first = chunk.lines[int(frames["line"][0]) - chunk.first]
    return int(first.partition(" ")[0])


def parse(chunk: Chunk, symbols: frozenset[str] = KNOWN_SYMBOLS) -> Parsed:
    """Parse frames; the event time of a quote or trade is the exchange's `T`."""
    typed = _texts(chunk).with_columns(
        pl.col("receive_ns").cast(pl.Int64),
        pl.col("time_ms").cast(pl.Int64),
        pl.col("bid", "ask", "bid_size", "ask_size", "price", "size").cast(pl.Float64),
    )
    unnamed = pl.col("symbol").is_not_null() & ~pl.col("symbol").is_in(sorted(symbols))
    lead_ns = pl.col("time_ms") * 1_000_000 - pl.col("receive_ns")
    fault = (
        pl.when(pl.col("kind").is_null())
        .then(pl.lit(MALFORMED))
        .when(unnamed)
        .then(pl.format("unknown symbol {}; known are " + ", ".join(sorted(symbols)), "symbol"))
        .when(lead_ns > AHEAD_NS)
        .then(pl.lit(f"its time is more than {AHEAD_NS // 10**9} s ahead of its receipt"))
        .when(pl.col("kind") == TICK)
        .then(quote_faults())
        .when(pl.col("kind") == TRADE)
        .then(trade_faults())
    )
    rows = typed.with_columns(fault.alias("reason")).select(
        "line",
        pl.when(pl.col("reason").is_null()).then("kind").alias("kind"),
        "reason",
        "symbol",
        pl.lit(VENUE).alias("venue"),
        pl.col("line").alias("seq"),
        (pl.col("time_ms") * 1000).alias("ts_event"),
        *("bid", "ask", "bid_size", "ask_size", "trade_id", "price", "size"),
        # The buyer was the maker: the seller took liquidity.
        pl.when(pl.col("maker") == "true").then(pl.lit("SELL")).otherwise(pl.lit("BUY")).alias("aggressor"),
    )
    return Parsed(chunk.first, chunk.lines, rows, lambda text: str(_frame(text)["reason"]))


def _texts(chunk: Chunk) -> pl.DataFrame:
    """Return each line's kind and values as texts, as in `SCHEMA`, in order."""
    lines = pl.DataFrame({"text": pl.Series(chunk.lines, dtype=pl.String)}).with_row_index("line", chunk.first)
    book = lines["text"].str.extract_groups(BOOK_TICKER).struct.unnest()
    trade = lines["text"].str.extract_groups(TRADE_FRAME).struct.unnest()
    kind = (
        pl.when(book["receive_ns"].is_not_null())
        .then(pl.lit(TICK))
        .when(trade["receive_ns"].is_not_null())
        .then(pl.lit(TRADE))
        .when(pl.col("text").str.contains(DEPTH))
        .then(pl.lit(SKIPPED))
    )
    lines = lines.with_columns(kind.alias("kind"))
    none = pl.Series(dtype=pl.String).extend_constant(None, len(chunk.lines))
    values = [
        pl.coalesce(book[name] if name in book.columns else none, trade[name] if name in trade.columns else none).alias(
            name
        )
        for name in TEXT_FIELDS
    ]
    fast = lines.with_columns(pl.lit(None, dtype=pl.String).alias("reason"), *values).filter(
        pl.col("kind").is_not_null()
    )
    fast = fast.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    others = lines.filter(pl.col("kind").is_null())
    if others.is_empty():
        return fast
    slow = [{"line": line, **_frame(text)} for line, text, _ in others.iter_rows()]
    return pl.concat([fast, pl.DataFrame(slow, schema=SCHEMA)]).sort("line")


def _frame(text: str) -> dict[str, str | None]:
    """Read one frame whatever the order of its keys; the fields as in `SCHEMA`, `reason` where it is none."""
    head, _, body = text.partition(" ")
    if not re.fullmatch(RECEIVED, head):
        return {"reason": f"does not begin with the time of receipt in ns: {head[:24]!r}"}
    try:
        frame = json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        return {"reason": f"half a frame, or no JSON: {error}"}
    if not isinstance(frame, dict):
        return {"reason": "the frame is no JSON object"}
    data = frame.get("data", frame)
    event = data.get("e") if isinstance(data, dict) else None
    if event == "bookTicker":
        return _fields(TICK, head, data, BOOK_KEYS)
    if event == "trade":
        return _fields(TRADE, head, data, TRADE_KEYS)
    return {"kind": SKIPPED}


def _fields(kind: str, receive_ns: str, data: dict[str, Any], keys: Mapping[str, str]) -> dict[str, str | None]:
    """Return the values of a quote or trade as texts, or the reason why one of them is wrong."""
    found: dict[str, str | None] = {"kind": kind, "receive_ns": receive_ns}
    for name, key in keys.items():
        value = data.get(key)
        text = str(value).lower() if isinstance(value, bool) else value
        if not isinstance(text, str) or not FORMS[name].fullmatch(text):
            said = "is missing" if key not in data else f"is not right: {str(value)[:20]!r}"
            return {"reason": f"{key!r} ({name}) of the {data['e']} {said}"}
        found[name] = text
    return found
