"""Lines of a file, parsed: one row for each line, with what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.connectors.feeds.archive import LINE_BYTES, TOO_LONG
from tradewind.connectors.feeds.feed import EXCERPT_CHARACTERS, REPORTED_LINES, Rejection
from tradewind.connectors.feeds.order import BACKWARD_US, misplaced

TICK, TRADE, SKIPPED = "tick", "trade", "skipped"
MALFORMED = "malformed"  # the line does not have the format's form: `diagnose` says where it departs
AHEAD = f"its time is more than {BACKWARD_US // 1_000_000} s later than the next line's"
BACK = f"its time is more than {BACKWARD_US // 1_000_000} s earlier than a line before it"
LARGEST_PRICE = 1e12  # above any price or size; what is above it is garbage that happens to be a number


@dataclass(frozen=True, slots=True)
class Parsed:
    """A chunk of lines."""

    first: int
    """Number of the first line."""
    lines: list[str]
    rows: pl.DataFrame
    """A row for each line: `line`, `kind` (null where rejected), `reason` (null where not), and the fields of ticks and
    trades that the format has."""
    diagnose: Callable[[str], str]
    """Says what is wrong with a line of the reason `MALFORMED`."""

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
        if text.startswith(TOO_LONG):
            return f"not UTF-8, or longer than {LINE_BYTES:,} bytes"
        return self.diagnose(text)


def quote_faults() -> pl.Expr:
    """Return the reason why the columns `bid`, `ask`, `bid_size` and `ask_size` are no quote, or null."""
    bid, ask = pl.col("bid"), pl.col("ask")
    size = pl.min_horizontal("bid_size", "ask_size")  # ignores nulls: a source without sizes has none to be wrong
    largest = pl.max_horizontal("bid", "ask", "bid_size", "ask_size")
    return (
        pl.when((bid <= 0) | (ask <= 0))
        .then(pl.lit("a price is not above zero"))
        .when(largest > LARGEST_PRICE)
        .then(pl.lit(f"a price or size above {LARGEST_PRICE:g}"))
        .when(bid > ask)
        .then(pl.lit("crossed: the bid is above the ask"))
        .when(size < 0)
        .then(pl.lit("a size is below zero"))
    )


def trade_faults() -> pl.Expr:
    """Return the reason why the columns `price` and `size` are no trade, or null."""
    return (
        pl.when(pl.col("price") <= 0)
        .then(pl.lit("a price is not above zero"))
        .when(pl.max_horizontal("price", "size") > LARGEST_PRICE)
        .then(pl.lit(f"a price or size above {LARGEST_PRICE:g}"))
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
