"""Frames of Binance's spot and futures streams, `receive_ns {json}`, one a line of a gzip file.

Book tickers are quotes, trades are trades. Other kinds that the exchange has, such as order book updates, are skipped
and counted by their names; the report quotes the first frame of an unknown kind. A spot book ticker has no time: its
event time is the time of its receipt.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from tradewind.connectors.feeds.feed import UnknownFormat, UnknownSymbol
from tradewind.connectors.feeds.files.archive import Chunk, chunks, digest, gzip_opener, verify
from tradewind.connectors.feeds.files.file_feed import FileFeed
from tradewind.connectors.feeds.files.parsed import (
    MALFORMED,
    SKIPPED,
    TICK,
    TRADE,
    UNKNOWN,
    Parsed,
    damage,
    quote_faults,
    trade_faults,
)
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS, unknown

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
SPOT_BOOK_TICKER = (
    HEAD + rf'"u":[0-9]{{1,19}},{SYMBOL},"b":"(?P<bid>{NUMBER})","B":"(?P<bid_size>{NUMBER})",'
    rf'"a":"(?P<ask>{NUMBER})","A":"(?P<ask_size>{NUMBER})"\}}\}}\r?$'
)
"""Spot has no `e`, no `E` and no `T` here."""
UNWANTED = frozenset(
    {"depthUpdate", "aggTrade", "kline", "continuous_kline", "avgPrice", "markPriceUpdate", "indexPriceUpdate"}
    | {"24hrTicker", "24hrMiniTicker", "1hTicker", "4hTicker", "1dTicker", "forceOrder", "compositeIndex"}
    | {"contractInfo", "assetIndexUpdate", "indexPrice_kline", "markPrice_kline", "tradingSession", "nav"}
)
"""Names of the exchange's streams of market data that hold neither single quotes nor single trades."""
UNWANTED_FRAME = HEAD + r'"e":"(?P<what>[A-Za-z0-9_]{1,32})",.*\}\}\r?$'
PATTERNS = ((BOOK_TICKER, TICK), (TRADE_FRAME, TRADE), (SPOT_BOOK_TICKER, TICK), (UNWANTED_FRAME, SKIPPED))
SNAPSHOT, REPLY = "order book snapshot", "reply to a request"
SPOT_KEYS = frozenset({"u", "s", "b", "B", "a", "A"})
NAME_CHARACTERS = 40  # of an unknown kind's name
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
SPOT_BOOK_KEYS = {"symbol": "s", "bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"}
BOOK_KEYS = {"symbol": "s", "time_ms": "T", "bid": "b", "ask": "a", "bid_size": "B", "ask_size": "A"}
TRADE_KEYS = {"symbol": "s", "time_ms": "T", "trade_id": "t", "price": "p", "size": "q", "maker": "m"}
FORMS = {
    **dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "price", "size"), re.compile(NUMBER)),
    "symbol": re.compile(r"[A-Z0-9]{1,20}"),
    "time_ms": re.compile(MILLIS),
    "trade_id": re.compile(r"[0-9]{1,19}"),
    "maker": re.compile(r"true|false"),
}
SCHEMA = {"line": pl.Int64, **dict.fromkeys(("kind", "reason", "what", *TEXT_FIELDS), pl.String)}
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
    if not chunk.lines:
        raise UnknownFormat(f"{path}: is empty; nothing was published: fetch it again")
    if frames.is_empty():
        first = chunk.lines[0]
        raise UnknownFormat(
            f"{path}: none of its first {len(chunk.lines):,} lines is a frame of Binance, `receive_ns {{json}}`; the "
            f"first: {damage(first) or _frame(first)['reason']}; nothing was published"
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
    """Parse frames; the event time of a quote or trade is the exchange's `T`, or the receipt where there is none."""
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
        "what",
        "symbol",
        pl.lit(VENUE).alias("venue"),
        pl.col("line").alias("seq"),
        pl.coalesce(pl.col("time_ms") * 1000, pl.col("receive_ns") // 1000).alias("ts_event"),
        *("bid", "ask", "bid_size", "ask_size", "trade_id", "price", "size"),
        # The buyer was the maker: the seller took liquidity.
        pl.when(pl.col("maker") == "true").then(pl.lit("SELL")).otherwise(pl.lit("BUY")).alias("aggressor"),
    )
    return Parsed(chunk.first, chunk.lines, rows, lambda text: str(_frame(text)["reason"]))


def _texts(chunk: Chunk) -> pl.DataFrame:
    """Return each line's kind and values as texts, as in `SCHEMA`, in order."""
    text = pl.Series("text", chunk.lines, dtype=pl.String)
    found: list[pl.DataFrame] = []
    for pattern, kind in PATTERNS:
        if text.null_count() == len(text):
            break
        groups = text.str.extract_groups(pattern).struct.unnest()
        matched = groups["receive_ns"].is_not_null()
        if kind == SKIPPED:
            matched &= groups["what"].is_in(sorted(UNWANTED)).fill_null(value=False)
            groups = groups.select(pl.when(matched).then("what").alias("what"))
        if matched.any():
            found.append(groups.with_columns(pl.when(matched).then(pl.lit(kind)).alias("kind")))
            # What a pattern took is not shown to the next ones: frames of one file are of few kinds.
            text = text.set(matched, None)
    fast = pl.select(
        pl.int_range(chunk.first, chunk.first + len(text), dtype=pl.Int64).alias("line"),
        *(_coalesced(found, name, len(text)) for name in SCHEMA if name != "line"),
    )
    if text.null_count() == len(text):
        return fast
    others = text.is_not_null()
    slow = [
        {"line": line, **_frame(line_text)}
        for line, line_text in zip(fast["line"].filter(others), text.filter(others), strict=True)
    ]
    return pl.concat([fast.filter(~others), pl.DataFrame(slow, schema=SCHEMA)]).sort("line")


def _coalesced(found: list[pl.DataFrame], name: str, height: int) -> pl.Series:
    """Return a value of each line from the pattern that took the line; null where none did."""
    of = [groups[name] for groups in found if name in groups.columns]
    if not of:
        return pl.Series(name, dtype=pl.String).extend_constant(None, height)
    return of[0] if len(of) == 1 else pl.select(pl.coalesce(*of).alias(name)).to_series()


def _frame(text: str) -> dict[str, str | None]:
    """Read one frame whatever the order of its keys; the fields as in `SCHEMA`, `reason` where it is none."""
    head, _, body = text.partition(" ")
    if not re.fullmatch(RECEIVED, head):
        return {"reason": _no_receipt(head)}
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
    if isinstance(data, dict) and event is None and data.keys() >= SPOT_KEYS:
        return _fields(TICK, head, data, SPOT_BOOK_KEYS)
    return _skipped(data)


def _no_receipt(head: str) -> str:
    if re.fullmatch(r"[0-9]{10}|[0-9]{13}|[0-9]{16}", head):
        return f"its time of receipt is in another unit than ns since 1970: {head!r}"
    if head.startswith("{"):
        return "no time of receipt (ns since 1970, and a space) before the JSON"
    return f"does not begin with the time of receipt in ns: {head[:24]!r}"


def _skipped(data: Any) -> dict[str, str | None]:
    """Name the kind of a frame that is neither a quote nor a trade."""
    first = data[0] if isinstance(data, list) and data else data
    if not isinstance(first, dict):
        return {"kind": UNKNOWN, "what": f"data that is a JSON {type(first).__name__}"}
    event = first.get("e")
    if isinstance(event, str):
        return {"kind": SKIPPED if event in UNWANTED else UNKNOWN, "what": event[:NAME_CHARACTERS]}
    if isinstance(first.get("bids"), list) and isinstance(first.get("asks"), list):
        return {"kind": SKIPPED, "what": SNAPSHOT}
    if "result" in first and "id" in first:
        return {"kind": SKIPPED, "what": REPLY}
    keys = ", ".join(map(str, first))
    return {"kind": UNKNOWN, "what": f"no 'e', with the keys {keys}"[:NAME_CHARACTERS]}


def _fields(kind: str, receive_ns: str, data: dict[str, Any], keys: Mapping[str, str]) -> dict[str, str | None]:
    """Return the values of a quote or trade as texts, or the reason why one of them is wrong."""
    found: dict[str, str | None] = {"kind": kind, "receive_ns": receive_ns}
    for name, key in keys.items():
        value = data.get(key)
        text = str(value).lower() if isinstance(value, bool) else value
        if not isinstance(text, str) or not FORMS[name].fullmatch(text):
            said = "is missing" if key not in data else f"is not right: {str(value)[:20]!r}"
            if name == "time_ms" and re.fullmatch(r"[0-9]{16}", str(value)):
                said = f"is in microseconds, and not in milliseconds: {value!r}"
            return {"reason": f"{key!r} ({name}) of the {data.get('e', 'bookTicker')} {said}"}
        found[name] = text
    return found
