"""Lines of a file, parsed: one row for each line, with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.connectors.feeds.feed import EXCERPT_CHARACTERS, REPORTED_LINES, Kind, Rejection, with_kinds
from tradewind.connectors.feeds.files.archive import LINE_BYTES, TOO_LONG
from tradewind.connectors.feeds.files.misplaced import BACKWARD_US, misplaced
from tradewind.schemas.ranges import PRICE_MAX, PRICE_MIN, SPREAD_MAX

TICK, TRADE = "tick", "trade"
SKIPPED, UNKNOWN = "skipped", "unknown"  # of a kind that the format knows and we do not want; of one that it does not
MALFORMED = "malformed"  # the line does not have the format's form: `diagnose` says where it departs
AHEAD = f"its time is more than {BACKWARD_US // 1_000_000} s later than the next line's"
BACK = f"its time is more than {BACKWARD_US // 1_000_000} s earlier than a line before it"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A chunk of lines."""

    first: int
    """Number of the first line."""
    lines: list[str]
    rows: pl.DataFrame
    """A row for each line: `line`, `kind` (null where rejected), `reason` (null where not), and the fields of ticks and
    trades that the format has. A format with several kinds of lines has `what`: the name of a skipped line's kind."""
    diagnose: Callable[[str], str]
    """Says what is wrong with a line of the reason `MALFORMED`."""

    def kinds(self, rows: pl.DataFrame) -> dict[str, Kind]:
        """Return the kinds of the skipped ones of some of the rows, in the order of their first lines."""
        skipped = rows.filter(pl.col("kind").is_in([SKIPPED, UNKNOWN]))
        counts = skipped.group_by("what", "kind").agg(pl.len().alias("count"), pl.col("line").min()).sort("line")
        found: dict[str, Kind] = {}
        for what, kind, count, line in counts.iter_rows():
            text = self.lines[line - self.first][:EXCERPT_CHARACTERS]
            found = dict(with_kinds(found, {what: Kind(count, line, text, known=kind == SKIPPED)}))
        return found

    def rejections(self, rows: pl.DataFrame) -> tuple[Rejection, ...]:
        """Return the first rejected ones of some of the rows."""
        bad = rows.filter(pl.col("kind").is_null()).head(REPORTED_LINES).select("line", "reason")
        return tuple(self._rejection(line, reason) for line, reason in bad.iter_rows())

    def _rejection(self, line: int, reason: str) -> Rejection:
        text = self.lines[line - self.first]
        if reason == MALFORMED:
            reason = self._form(text)
        return Rejection(line, reason, text[:EXCERPT_CHARACTERS])

    def _form(self, text: str) -> str:
        if not text.strip():
            return "empty line"
        return damage(text) or self.diagnose(text)


def damage(text: str) -> str | None:
    """Say where a line shows that the whole file is written in another way; None where it does not."""
    if "\0" in text:
        return "not UTF-8 but UTF-16, for every second byte is zero: convert it, as by `iconv -f UTF-16 -t UTF-8`"
    if "\r" in text.rstrip("\r"):
        return "lines end in CR alone, as on old Macs: convert them, as by `tr '\\r' '\\n'`"
    if text.startswith(TOO_LONG):
        return f"not UTF-8, or longer than {LINE_BYTES:,} bytes"
    if TOO_LONG in text:
        return "not UTF-8, perhaps Latin-1: convert it, as by `iconv -f LATIN1 -t UTF-8`"
    return None


def quote_faults() -> pl.Expr:
    """Return the reason why the columns `bid`, `ask`, `bid_size` and `ask_size` are no quote, or null."""
    bid, ask = pl.col("bid"), pl.col("ask")
    size = pl.min_horizontal("bid_size", "ask_size")  # ignores nulls: a source without sizes has none to be wrong
    largest = pl.max_horizontal("bid", "ask", "bid_size", "ask_size")
    return (
        pl.when((bid <= 0) | (ask <= 0))
        .then(pl.lit("a price is not above zero"))
        .when(bid < PRICE_MIN)
        .then(pl.lit(f"a price below {PRICE_MIN:g}"))
        .when(largest > PRICE_MAX)
        .then(pl.lit(f"a price or size above {PRICE_MAX:g}"))
        .when(bid > ask)
        .then(pl.lit("crossed: the bid is above the ask"))
        .when(ask - bid > SPREAD_MAX)
        .then(pl.lit(f"a spread above {SPREAD_MAX:g}"))
        .when(size < 0)
        .then(pl.lit("a size is below zero"))
    )


def trade_faults() -> pl.Expr:
    """Return the reason why the columns `price` and `size` are no trade, or null."""
    return (
        pl.when(pl.col("price") <= 0)
        .then(pl.lit("a price is not above zero"))
        .when(pl.col("price") < PRICE_MIN)
        .then(pl.lit(f"a price below {PRICE_MIN:g}"))
        .when(pl.max_horizontal("price", "size") > PRICE_MAX)
        .then(pl.lit(f"a price or size above {PRICE_MAX:g}"))
        .when(pl.col("size") <= 0)
        .then(pl.lit("a trade of no size"))
    )


def in_order(rows: pl.DataFrame, reached: int | None) -> tuple[pl.DataFrame, int | None]:
    """Reject the rows whose time is misplaced; return the rows and the largest time of those that remain, µs."""
    timed = rows["kind"].is_in([TICK, TRADE]).fill_null(value=False).to_numpy()
    times = rows["ts_event"].fill_null(0).to_numpy()[timed]
    if len(times) == 0:
        return rows, reached
    ahead, back = misplaced(times, reached)
    kept = times[~(ahead | back)]
    reached = max([*([] if reached is None else [reached]), *([int(kept.max())] if len(kept) else [])], default=None)
    if not (ahead.any() or back.any()):
        return rows, reached
    far_ahead, far_back = np.zeros((2, len(timed)), dtype=np.bool_)
    far_ahead[timed], far_back[timed] = ahead, back
    is_ahead, is_back = pl.Series(far_ahead), pl.Series(far_back)
    marked = rows.with_columns(
        pl.when(~(is_ahead | is_back)).then("kind").alias("kind"),
        pl.when(is_ahead).then(pl.lit(AHEAD)).when(is_back).then(pl.lit(BACK)).otherwise("reason").alias("reason"),
    )
    return marked, reached
