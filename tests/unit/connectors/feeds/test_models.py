"""The simulator's models as feeds: the same blocks from any position, sound quotes, sessions kept."""

from __future__ import annotations

import polars as pl
import pytest

from tradewind.connectors.feeds import Bounds, FeedError, SourcePosition
from tradewind.connectors.feeds.feed import TICK_COLUMNS, Feed
from tradewind.connectors.feeds.simulator.models import ModelMarket
from tradewind.processors.simulation.paths import KINDS, Kind

MONDAY = 1_767_571_200_000_000  # 2026-01-05
HOUR = 3_600_000_000
WHOLE = Bounds(2**31, 2**62)


def quotes(feed: Feed, position: SourcePosition = SourcePosition(), bounds: Bounds = WHOLE) -> pl.DataFrame:  # noqa: B008 - frozen
    """Return all quotes after a position."""
    return pl.concat([block.ticks for block in feed.read(position, bounds)])


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_are_the_same_from_any_position(kind: Kind) -> None:
    """However large blocks are; quotes are sound, in time order, and of the simulator's instruments."""
    feed = ModelMarket(kind, 3, 2.0, MONDAY, MONDAY + HOUR // 2)
    whole = quotes(feed)
    assert isinstance(feed, Feed)
    assert (whole.height, dict(whole.schema)) == (3_600, dict(TICK_COLUMNS))
    assert quotes(feed, bounds=Bounds(7, 2**62)).equals(whole)
    parts = [*feed.read(SourcePosition(), Bounds(1_000, 2**62))]
    assert quotes(feed, parts[1].next).equals(whole[parts[1].next.record :])
    assert whole["ts_event"].is_sorted()
    assert whole["ts_event"][-1] < MONDAY + HOUR // 2
    assert (whole["bid"] < whole["ask"]).all()
    assert sorted(whole["symbol"].unique()) == ["BTCUSDT", "EURUSD", "XAUUSD"]
    assert not quotes(ModelMarket(kind, 4, 2.0, MONDAY, MONDAY + HOUR // 2)).equals(whole)


def test_sessions_close_and_bad_numbers_are_refused() -> None:
    """At a weekend only what trades around the clock is quoted."""
    weekend = quotes(ModelMarket("gbm", 1, 1.0, MONDAY - 30 * HOUR, MONDAY - 29 * HOUR))
    assert set(weekend["symbol"]) == {"BTCUSDT"}
    with pytest.raises(FeedError, match="a rate of 0 ticks/s"):
        ModelMarket("gbm", 1, 0.0, MONDAY, MONDAY + HOUR)
    with pytest.raises(FeedError, match="a seed of -1"):
        ModelMarket("gbm", -1, 1.0, MONDAY, MONDAY + HOUR)
