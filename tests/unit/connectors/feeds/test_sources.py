"""A source is found by its name, or told what there is."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from tradewind.connectors.feeds import Block, Bounds, Feed, FeedError, Simulator, SourcePosition, open_feed, sources


class Silent:
    """A feed of one's own that has nothing to say."""

    name = "silent"
    source = "nothing"
    live = False

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        return iter(())


def broken() -> Feed:
    """Fail, as a feed without its configuration does."""
    raise RuntimeError("no key")


def installed(patch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Pretend that a package brings a feed."""
    entry = EntryPoint(name, f"{__name__}:{value}", sources.GROUP)
    patch.setattr(
        sources, "entry_points", lambda group: EntryPoints([entry]) if group == sources.GROUP else EntryPoints()
    )
    patch.setattr(EntryPoint, "load", lambda entry: globals()[entry.attr])


def test_the_simulator_by_name() -> None:
    """Its seed and rate are given beside it."""
    feed = open_feed("simulator", seed=4, rate=50)
    assert isinstance(feed, Simulator)
    assert (feed.name, feed.rate, feed.live) == ("simulator.4", 50, True)


def test_a_file_by_its_format(tmp_path: Path) -> None:
    """A zip is OANDA's."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("20140501_eurusd_tick_quote.csv", "1,1.1,1.2")
    assert open_feed(str(path)).name == "a.zip"


def test_an_unknown_format_is_told_with_the_supported_ones(tmp_path: Path) -> None:
    """So is a name that is nothing."""
    (tmp_path / "a.parquet").write_bytes(b"x")
    with pytest.raises(FeedError, match=r"no feed reads \.parquet; supported are .*OANDA.*Binance.*simulator"):
        open_feed(str(tmp_path / "a.parquet"))
    with pytest.raises(FeedError, match="no such file, and no feed of that name; feeds are: simulator"):
        open_feed("simulater")


def test_a_feed_of_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found by the name of its entry point."""
    installed(monkeypatch, "mine", "Silent")
    assert open_feed("mine").name == "silent"
    assert isinstance(open_feed("mine"), Feed)


def test_a_feed_that_cannot_be_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it, its place and its error."""
    installed(monkeypatch, "mine", "broken")
    with pytest.raises(FeedError, match=r"feed 'mine' .*RuntimeError: no key"):
        open_feed("mine")
    installed(monkeypatch, "mine", "Path")
    with pytest.raises(FeedError, match="no feed: it has no name"):
        open_feed("mine")
