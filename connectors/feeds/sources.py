"""Find the feed that reads a source: the simulator, a file by its format, or a feed that a package brings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from tradewind.connectors.feeds.feed import Feed, FeedError, UnknownFormat
from tradewind.connectors.feeds.files.binance import open_binance
from tradewind.connectors.feeds.files.news import open_news
from tradewind.connectors.feeds.files.oanda import open_oanda
from tradewind.connectors.feeds.instruments import KNOWN_SYMBOLS
from tradewind.connectors.feeds.simulator.simulator import DEFAULT_RATE, Simulator

GROUP = "tradewind.feeds"
SIMULATOR = "simulator"
OPENERS: Mapping[str, Callable[[Path, frozenset[str]], Feed]] = {
    ".zip": open_oanda,
    ".gz": open_binance,
    ".jsonl": open_news,
}
FORMATS = (
    "a .zip with quotes of OANDA as LEAN writes them (20140501_eurusd_tick_quote.csv inside), "
    "a .gz of Binance frames (`receive_ns {json}` a line), a .jsonl of news (docs/asking.md)"
)


def open_feed(
    source: str,
    *,
    seed: int = 1,
    rate: float = DEFAULT_RATE,
    symbols: Collection[str] = (),
    sessions: bool = True,
    history_s: float = 0.0,
) -> Feed:
    """Return the feed of a source: `simulator`, a file, or a name in the entry point group `tradewind.feeds`.

    `seed`, `rate` (ticks/s), `sessions` and `history_s` are the simulator's; `symbols` are allowed in files beside the
    known ones. Raises `FeedError`.
    """
    if source == SIMULATOR:
        return Simulator(seed=seed, rate=rate, sessions=sessions, history_s=history_s)
    entries = {entry.name: entry for entry in entry_points(group=GROUP)}
    if source in entries:
        return _loaded(entries[source])
    path = Path(source)
    named = ", ".join([SIMULATOR, *sorted(entries)])
    if not path.is_file():
        raise UnknownFormat(f"{source}: there is no such file, and no feed of that name; feeds are: {named}")
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        raise UnknownFormat(
            f"{path}: no feed reads {path.suffix or 'this file'}; supported are {FORMATS}, and: {named}"
        )
    return opener(path, KNOWN_SYMBOLS | {symbol.upper() for symbol in symbols})


def _loaded(entry: EntryPoint) -> Feed:
    """Call what an entry point names: it takes nothing and returns a feed."""
    try:
        feed = entry.load()()
    except Exception as error:
        raise FeedError(
            f"feed {entry.name!r} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(feed, Feed):
        raise FeedError(f"{entry.value} gives a {type(feed).__name__}, no feed: it has no name, source, live and read")
    return feed
