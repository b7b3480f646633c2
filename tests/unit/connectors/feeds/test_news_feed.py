"""News of a file: an event for each line and instrument, the same for the same position, and every bad line told."""

from __future__ import annotations

import json
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.feeds.feed import Bounds, DamagedSource, SourcePosition
from tradewind.connectors.feeds.files.news import NewsFile, items_of, open_news
from tradewind.connectors.feeds.sources import open_feed
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import News

FOREVER = 2**62
ITEM = {
    "time": "2026-11-30T08:00:00Z",
    "instruments": ["EURUSD.OANDA", "XAUUSD.OANDA"],
    "headline": "ECB keeps its rate",
}


def line(**changes: Any) -> str:
    """Return a line of news, without the fields that are None."""
    return json.dumps({name: value for name, value in {**ITEM, **changes}.items() if value is not None})


def news_of(feed: NewsFile, done: int = 0, records: int = 100, span_us: int = FOREVER) -> list[News]:
    """Return what a feed gives after a position."""
    return [item for block in feed.read(SourcePosition(done), Bounds(records, span_us)) for item in block.news]


def test_a_line_is_an_event_for_each_instrument() -> None:
    """With an id of the item and the instrument, whatever file it stands in."""
    euro, gold = items_of(line(body="It stays at 2 %.", source="Wire", url="https://example.com/1"))
    assert (euro.symbol, euro.venue, gold.symbol) == ("EURUSD", "OANDA", "XAUUSD")
    assert (euro.headline, euro.body, euro.source, euro.item) == (
        "ECB keeps its rate",
        "It stays at 2 %.",
        "Wire",
        None,
    )
    assert euro.ts_event == 1_796_025_600_000_000
    assert euro.event_id != gold.event_id
    assert flaw_of(euro) is None
    assert items_of(line(id="7", headline="other"))[0].event_id == items_of(line(id="7"))[0].event_id
    assert items_of(line(headline="other"))[0].event_id != items_of(line())[0].event_id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty line"),
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        (line(headline=None), "headline is missing"),
        (line(headline=" "), "headline is empty"),
        (line(headline=5), "headline is no text"),
        (line(headline="x" * 20_000), "headline"),
        (line(time="2026-11-30T08:00:00"), "no time zone"),
        (line(time=-5), "ts_event"),
        (line(instruments=["EURUSD"]), "is no instrument"),
        (line(instruments=[]), "no list of 1 to 64"),
        (line(instruments=["ABCDEF.OANDA"]), "unknown symbol ABCDEF"),
        (line(title="x"), "there is no field 'title'"),
    ],
)
def test_a_line_that_is_no_news_says_why(text: str, said: str) -> None:
    """The feed rejects it, and goes on."""
    with pytest.raises(ValueError, match=said):
        items_of(text)


@given(st.integers(0, 6), st.integers(1, 4), st.sampled_from([1, 1_500_000, FOREVER]))
def test_blocks_are_bounded_and_the_rest_follows_from_any_position(done: int, records: int, span_us: int) -> None:
    """Every line is counted once: as news, or as rejected."""
    lines = [line(time=second * 1_000_000, headline=f"item {second}") for second in range(5)]
    lines.insert(2, "not news")
    whole = NewsFile("n", "s", lambda: nullcontext(BytesIO("\n".join(lines).encode())), items_of)
    blocks = list(whole.read(SourcePosition(done), Bounds(records, span_us)))
    numbers = [number for number in range(1, len(lines) + 1) if number > done]
    assert [block.next.record for block in blocks[-1:]] == numbers[-1:]
    assert sum(len(block.news) // 2 + block.rejected_count for block in blocks) == len(numbers)
    for block in blocks:
        times = [item.ts_event for item in block.news]
        assert len(block.news) // 2 + block.rejected_count <= records
        assert not times or max(times) - min(times) <= span_us
    assert [rejection.line for block in blocks for rejection in block.rejected] == [3] * (done < 3)


def test_a_file_is_found_by_its_name(tmp_path: Path) -> None:
    """And its digest is part of the source, so that a changed file is another one."""
    path = tmp_path / "today.jsonl"
    path.write_text(f"{line()}\n{line(headline='second')}\n")
    feed = open_feed(str(path))
    assert isinstance(feed, NewsFile)
    assert (feed.name, feed.live) == ("today.jsonl", False)
    assert [item.headline for item in news_of(feed)] == ["ECB keeps its rate"] * 2 + ["second"] * 2
    assert [item.headline for item in news_of(feed, done=1)] == ["second"] * 2
    path.write_text(line())
    assert open_feed(str(path)).source != feed.source
    with pytest.raises(DamagedSource, match="cannot be read"):
        open_news(tmp_path)
