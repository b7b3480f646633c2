"""News of a file of JSON lines, `.jsonl`: an object a line.

    {"time": "2026-11-30T08:00:00Z", "instruments": ["EURUSD.OANDA"], "headline": "ECB keeps its rate"}

`body`, `source`, `url` and `id` may follow. A line about several instruments becomes an event for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tradewind.connectors.feeds.feed import (
    EXCERPT_CHARACTERS,
    REPORTED_LINES,
    Block,
    Bounds,
    DamagedSource,
    Rejection,
    SourcePosition,
)
from tradewind.connectors.feeds.files.archive import Opener, chunks, digest
from tradewind.connectors.feeds.files.parsed import damage
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS, unknown
from tradewind.connectors.kafka.json_events import time_from_json
from tradewind.processors.identity import derive_id, instrument
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.market import News

MOST_INSTRUMENTS: Final = 64  # of one item: an item about the whole market names what it moves
NEEDED: Final = ("time", "instruments", "headline")
TEXTS: Final = ("headline", "body", "source", "url", "id")
FIELDS: Final = frozenset({*NEEDED, *TEXTS})


class _NoNews(ValueError):
    """A line that is no news item; the message says what is wrong."""


def open_news(path: Path, symbols: frozenset[str] = KNOWN_SYMBOLS) -> NewsFile:
    """Return the feed of a file of news; raises `DamagedSource` if the file cannot be read."""

    @contextmanager
    def content() -> Iterator[IO[bytes]]:
        with path.open("rb") as file:
            yield file

    try:
        source = f"{path.name} sha256:{digest(path)}"
    except OSError as error:
        raise DamagedSource(f"{path}: cannot be read ({error.strerror}); nothing was published") from error
    return NewsFile(path.name, source, content, lambda text: items_of(text, symbols))


@dataclass(frozen=True, slots=True)
class NewsFile:
    """The lines of a file of news as a feed; `SourcePosition.record` counts lines."""

    name: str
    source: str
    opener: Opener
    parse: Callable[[str], list[News]]
    live: bool = False

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield the blocks after a position."""
        block = _Open()
        for number, text in self._lines(position.record):
            try:
                items = self.parse(text)
            except _NoNews as error:
                block.reject(number, str(error), text)
            else:
                if block.lines and not block.covers(items[0].ts_event, bounds):
                    yield block.closed()
                    block = _Open()
                block.take(number, items)
            if block.lines >= bounds.records:
                yield block.closed()
                block = _Open()
        if block.lines:
            yield block.closed()

    def _lines(self, done: int) -> Iterator[tuple[int, str]]:
        for chunk in chunks(self.opener):
            for number, text in enumerate(chunk.lines, chunk.first):
                if number > done:
                    yield number, text


class _Open:
    """A block that takes lines."""

    def __init__(self) -> None:
        self.lines = 0
        self._last = 0
        self._news: list[News] = []
        self._rejected: list[Rejection] = []
        self._rejected_count = 0

    def covers(self, ts_event: int, bounds: Bounds) -> bool:
        """Return whether a time is within the span of the block."""
        return not self._news or ts_event - self._news[0].ts_event <= bounds.span_us

    def take(self, number: int, items: list[News]) -> None:
        self.lines, self._last = self.lines + 1, number
        self._news += items

    def reject(self, number: int, reason: str, text: str) -> None:
        self.lines, self._last, self._rejected_count = self.lines + 1, number, self._rejected_count + 1
        if len(self._rejected) < REPORTED_LINES:
            self._rejected.append(Rejection(number, reason, text[:EXCERPT_CHARACTERS]))

    def closed(self) -> Block:
        return Block(
            next=SourcePosition(self._last),
            news=tuple(self._news),
            rejected=tuple(self._rejected),
            rejected_count=self._rejected_count,
            ts_event=max((item.ts_event for item in self._news), default=None),
        )


def items_of(text: str, symbols: frozenset[str] = KNOWN_SYMBOLS) -> list[News]:
    """Return the events of a line, one for each instrument; raises `_NoNews`."""
    found = _object(text)
    for name in TEXTS:
        if not isinstance(found.get(name, ""), str):
            raise _NoNews(f"{name} is no text")
    if not found["headline"].strip():
        raise _NoNews("headline is empty")
    try:
        at = time_from_json(found["time"])
    except (ValueError, TypeError, OverflowError) as error:
        raise _NoNews(f"time: {error}") from None
    identity = found.get("id") or derive_id(at, found["headline"], found.get("source", ""))
    return [_item(found, at, identity, of) for of in _instruments(found["instruments"], symbols)]


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "empty line" if not text.strip() else damage(text) or f"it is no JSON: {error}"
        raise _NoNews(what) from None
    if not isinstance(found, dict):
        raise _NoNews("it is no JSON object")
    if missing := [name for name in NEEDED if name not in found]:
        raise _NoNews(f"{missing[0]} is missing")
    if unknown_fields := sorted(found.keys() - FIELDS):
        raise _NoNews(f"there is no field {unknown_fields[0]!r}; fields are {', '.join(sorted(FIELDS))}")
    return found


def _instruments(value: object, symbols: frozenset[str]) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_INSTRUMENTS:
        raise _NoNews(f"instruments is no list of 1 to {MOST_INSTRUMENTS}, such as ['EURUSD.OANDA']")
    found: dict[tuple[str, str], None] = {}
    for one in value:
        symbol, _, venue = one.partition(".") if isinstance(one, str) else ("", "", "")
        if not symbol or not venue:
            raise _NoNews(f"{one!r} is no instrument: it is SYMBOL.VENUE, such as EURUSD.OANDA")
        if symbol not in symbols:
            raise _NoNews(unknown(symbol, symbols))
        found[symbol, venue] = None
    return list(found)


def _item(found: Mapping[str, Any], at: int, identity: str, of: tuple[str, str]) -> News:
    event_id = derive_id("News", identity, instrument(*of))
    item = News(
        event_id=event_id,
        ts_event=at,
        ts_ingest=0,  # it has not entered yet
        correlation_id=event_id,
        causation_id=event_id,
        symbol=of[0],
        venue=of[1],
        headline=found["headline"],
        body=found.get("body", ""),
        source=found.get("source", ""),
        item=found.get("id") or None,
        url=found.get("url") or None,
    )
    if flaw := flaw_of(item):
        raise _NoNews(flaw)
    return item
