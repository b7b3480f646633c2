"""A feed is published once: whole, after kills, and by one process at a time."""

from __future__ import annotations

import os
import random
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pytest
from click.testing import CliRunner
from days.recorded import BTCUSDT, EURUSD, WHOLE_BTCUSDT, WHOLE_XAUUSD, XAUUSD, Recording
from processes.forking import TESTS, forked
from processes.pipeline import environment

from tradewind.connectors.clock.wall import clock_ms
from tradewind.connectors.feeds import Block, Bounds, Feed, FeedError, Simulator, SourcePosition, open_feed
from tradewind.connectors.feeds.feed import SourceChanged
from tradewind.connectors.feeds.publishing.feed_log import FeedTakenOver
from tradewind.connectors.feeds.publishing.run import FeedReport, run_feed
from tradewind.connectors.feeds.publishing.together import run_feeds
from tradewind.connectors.kafka import consume, read
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.group import tradewind
from tradewind.infra.up.verdict import read_verdict
from tradewind.schemas.market import FeedPosition, Heartbeat, Tick
from tradewind.topics import FEED_POSITIONS, TICKS, TRADES
from tradewind.topics.partitioner import partition_of

COLUMNS = ["symbol", "venue", "seq", "ts_event", "bid", "ask", "bid_size", "ask_size"]
START = 1_788_000_000_000_000


def content(feed: Feed) -> pl.DataFrame:
    """Return the ticks that a feed has."""
    return pl.concat(block.ticks for block in feed.read(SourcePosition(), Bounds(10**6, 2**62)))


def quotes(path: Path, *lines: str, symbol: str = "eurusd", date: str = "20140501") -> Feed:
    """Write and open a file of quotes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{date}_{symbol}_tick_quote.csv", "\n".join(lines))
    return open_feed(str(path))


def heartbeats(settings: Settings) -> list[Heartbeat]:
    """Return the heartbeats on the topic of ticks."""
    return [record.event for record in consume(TICKS, settings=settings) if isinstance(record.event, Heartbeat)]


def positions(settings: Settings) -> list[FeedPosition]:
    """Return the positions that were kept, in order."""
    events = [record.event for record in consume(FEED_POSITIONS, settings=settings)]
    return [event for event in events if isinstance(event, FeedPosition)]


@pytest.mark.parametrize("file", [EURUSD, XAUUSD, WHOLE_XAUUSD], ids=lambda file: file.path.name)
def test_a_file_of_quotes_is_published_whole(settings: Settings, file: Recording) -> None:
    """Every quote once, in order, in the partition of its instrument, dated by the clock; then a closing heartbeat."""
    feed = open_feed(str(file.needed()))
    before_ms = clock_ms()
    report = run_feed(feed, settings)
    found = read(TICKS, settings=settings, coordinates=True)
    expected = content(feed)
    assert (report.published, report.rejected, report.finished) == (file.ticks, 0, True)
    assert found.select(COLUMNS).equals(expected)
    key = f"{expected['symbol'][0]}.OANDA".encode()
    assert found["_partition"].unique().to_list() == [partition_of(key, TICKS.partitions)]
    assert found["_timestamp_ms"].is_between(before_ms, clock_ms()).all()
    (beat,) = heartbeats(settings)
    last = expected["ts_event"].max()
    assert beat.closing
    assert isinstance(last, int)
    assert beat.ts_event % 60_000_000 == settings.bar_grace_ms * 1000, "it closes the last minute and no more"
    assert last < beat.ts_event <= last + 61_000_000
    assert positions(settings)[-1].finished


@pytest.mark.parametrize("file", [BTCUSDT, WHOLE_BTCUSDT], ids=lambda file: file.path.name)
def test_quotes_and_trades_of_frames_are_published(settings: Settings, file: Recording) -> None:
    """Each on its topic; what is neither is counted as skipped."""
    report = run_feed(open_feed(str(file.needed())), settings)
    assert (report.published, report.skipped, report.rejected) == (file.ticks + file.trades, file.skipped, 0)
    assert read(TICKS, settings=settings).height == file.ticks
    trades = read(TRADES, settings=settings)
    assert trades["trade_id"].n_unique() == trades.height == file.trades


def test_a_finished_file_is_not_published_again(settings: Settings, tmp_path: Path) -> None:
    """The second run says so, and writes nothing."""
    feed = quotes(tmp_path / "a.zip", "1,1.1,1.2", "2,1.1,1.2")
    assert run_feed(feed, settings).published == 2
    again = run_feed(feed, settings)
    assert (again.published, again.already, again.position) == (0, True, 2)
    assert read(TICKS, settings=settings).height == 2


def test_another_file_of_the_same_name_is_refused(settings: Settings, tmp_path: Path) -> None:
    """Its lines are other ones: the position means nothing there."""
    run_feed(quotes(tmp_path / "a.zip", "1,1.1,1.2"), settings)
    with pytest.raises(SourceChanged, match=r"feed a\.zip has published 1 events of .*Rename the file"):
        run_feed(quotes(tmp_path / "a.zip", "1,1.1,1.3"), settings)
    assert read(TICKS, settings=settings).height == 1


def test_a_file_of_which_nothing_was_published_fails_again_and_may_be_mended(
    settings: Settings, tmp_path: Path
) -> None:
    """It is read again with the same words, and a mended one takes its name: nothing can be doubled."""
    bad = quotes(tmp_path / "a.zip", "1;1,1;1,2", "2;1,1;1,2")
    for _ in range(2):
        report = run_feed(bad, settings)
        assert (report.published, report.rejected, report.already) == (0, 2, False)
        assert "separated by ';'" in str(report.failure)
    mended = run_feed(quotes(tmp_path / "a.zip", "1,1.1,1.2", "2,1.1,1.2"), settings)
    assert (mended.published, mended.failure) == (2, None)
    assert read(TICKS, settings=settings).height == 2


def test_an_older_day_after_a_newer_one_is_told_to_be_late(settings: Settings, tmp_path: Path) -> None:
    """Its ticks are published, and make no bars; the day that follows, and another instrument, are in time."""
    assert run_feed(quotes(tmp_path / "b.zip", "1,1.1,1.2", date="20140502"), settings).late == 0
    older = run_feed(quotes(tmp_path / "a.zip", "1,1.1,1.2", "2,1.1,1.2"), settings)
    assert (older.published, older.late) == (2, 2)
    assert older.late_after == "b.zip had published of EURUSD.OANDA, up to 2014-05-02T00:01:00.500000Z"
    assert run_feed(quotes(tmp_path / "c.zip", "1,1.1,1.2", date="20140505"), settings).late == 0
    assert run_feed(quotes(tmp_path / "d.zip", "1,1.1,1.2", symbol="xauusd"), settings).late == 0


def test_the_command_fails_where_nothing_was_published(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its exit code, in words, and to the `up` that runs it."""
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    quotes(tmp_path / "bad.zip", "1;1,1;1,2")
    quotes(tmp_path / "good.zip", "1,1.1,1.2", date="20140502")
    said = tmp_path / "verdict.json"
    for names, code, well in ((["good.zip"], 0, True), (["bad.zip", "good.zip"], 1, False), (["none.zip"], 1, False)):
        paths = [str(tmp_path / name) for name in names]
        done = CliRunner().invoke(tradewind, ["feed", *paths, "--speed", "max", "--verdict", str(said)])
        assert done.exit_code == code, done.output
        assert (found := read_verdict(said)) is not None
        assert found.well is well
    assert "no such file" in found.text


def test_bad_lines_are_told_and_the_others_published(settings: Settings, tmp_path: Path) -> None:
    """Every kind of garbage, with its line."""
    bad = ["", "x", "1,nan,2", "1,-1,2", "1,0,0", "1,3,2", "1,2", "99999999,1,2", "\u00e9,1,2"]
    lines = [line for number, each in enumerate(bad) for line in (f"{1000 + number},1.1,1.2", each)]
    report = run_feed(quotes(tmp_path / "a.zip", *lines, "2000,1.1,1.2"), settings)
    assert (report.published, report.rejected) == (len(bad) + 1, len(bad))
    assert [rejection.line for rejection in report.rejections] == list(range(2, 2 * len(bad) + 1, 2))
    assert all(rejection.reason for rejection in report.rejections)
    assert positions(settings)[-1].rejected == len(bad)


def killed_after(settings: Settings, source: str, records: int, blocks: int) -> bool:
    """Run a feed with small blocks in a process of its own, and kill it some time after it has published a few.

    Returns False where it ended before.
    """
    said, says = os.pipe()
    with os.fdopen(said) as blocks_said:
        with os.fdopen(says, "wb") as out, os.fdopen(os.dup(2), "wb") as err:
            command = (str(TESTS / "processes" / "feed.py"), source, str(records))
            process = forked(*command, environment=environment(settings), out=out, err=err)
        for _ in range(blocks):
            if not blocks_said.readline():
                assert process.wait(60) == 0
                return False
        time.sleep(random.uniform(0, 0.03))
        process.kill()
        process.wait(60)
    return True


def test_a_file_that_is_killed_in_the_middle_loses_and_repeats_nothing(settings: Settings) -> None:
    """Killed with SIGKILL again and again, at any moment of a transaction."""
    kills = 0
    while killed_after(settings, str(EURUSD.path), 600, blocks=3):
        kills += 1
    assert kills >= 1
    assert read(TICKS, settings=settings).equals(content(open_feed(str(EURUSD.path))))
    assert [beat.closing for beat in heartbeats(settings)] == [True]


def test_a_simulator_that_is_killed_goes_on_where_it_was(settings: Settings) -> None:
    """Its sequence has no gap and no repeat, its times never go back, and its mids are those of the seed."""
    for _ in range(2):
        assert killed_after(settings, "simulator", 5_000, blocks=4)
    ticks = read(TICKS, settings=settings).sort("seq")
    assert ticks["seq"].to_list() == list(range(1, ticks.height + 1))
    assert ticks["ts_event"].is_sorted()
    same = content(Simulator(seed=1, start_us=START, count=ticks.height, sessions=False))
    mid = (ticks["bid"] + ticks["ask"]) / 2
    # The spread comes from the hour, so that the mid is the same to half a spread's rounding.
    assert ((mid - (same["bid"] + same["ask"]) / 2).abs() / mid).max() < 1e-5  # type: ignore[operator]


@dataclass
class Slow:
    """A feed of one's own: a quote each time it is let go."""

    gate: Event
    name: str = "slow"
    source: str = "slow"
    live: bool = True
    count: int = 6

    def read(self, position: SourcePosition, bounds: Bounds) -> Iterator[Block]:
        """Yield a quote a second of event time."""
        for number in range(position.record + 1, self.count + 1):
            row = Tick(symbol="EURUSD", venue="OWN", seq=number, ts_event=START + number * 1_000_000, bid=1.1, ask=1.2)
            yield Block(
                SourcePosition(number),
                pl.DataFrame([row.to_dict()], schema_overrides={"bid_size": pl.Float64, "ask_size": pl.Float64}),
            )
            self.gate.wait(0.3)


def test_a_feed_of_ones_own_is_published_once(settings: Settings) -> None:
    """Whatever has the members of a feed is one."""
    stop = Event()
    first = run_feed(Slow(Event()), settings, stop=stop, on_progress=lambda report: stop.set())
    assert not first.finished
    second = run_feed(Slow(Event()), settings)
    assert (first.published + second.published, second.finished) == (6, True)
    assert read(TICKS, settings=settings)["seq"].to_list() == [1, 2, 3, 4, 5, 6]


def test_the_later_of_two_processes_goes_on_and_the_earlier_ends(settings: Settings) -> None:
    """Between them they publish everything once."""
    errors: list[BaseException] = []
    begun, stop = Event(), Event()

    def run() -> None:
        try:
            run_feed(Slow(Event(), count=10_000), settings, on_progress=lambda _: begun.set())
        except FeedTakenOver as error:
            errors.append(error)

    def enough(report: FeedReport) -> None:
        if report.published >= 10 and errors:
            stop.set()

    earlier = Thread(target=run)
    earlier.start()
    assert begun.wait(60)
    run_feed(Slow(Event(), count=10_000), settings, stop=stop, on_progress=enough)
    earlier.join(60)
    assert [type(error) for error in errors] == [FeedTakenOver]
    assert once_each(settings)


def test_of_processes_that_start_at_once_one_goes_on(settings: Settings) -> None:
    """They do not shut each other out for ever, and what they publish on the way is published once."""
    ended: list[FeedReport | FeedTakenOver] = []
    stop = Event()

    def run() -> None:
        try:
            ended.append(run_feed(Slow(Event(), count=10_000), settings, stop=stop))
        except FeedTakenOver as error:
            ended.append(error)

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 120
    while len(ended) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    assert [type(end) for end in ended] == [FeedTakenOver, FeedTakenOver]
    stop.set()
    for thread in threads:
        thread.join(60)
    assert isinstance(ended[-1], FeedReport)
    assert once_each(settings)


def once_each(settings: Settings) -> bool:
    """Return whether the quotes are there from the first to the last, each once and in order."""
    sequence = read(TICKS, settings=settings)["seq"].to_list()
    return len(sequence) > 0 and sequence == list(range(1, len(sequence) + 1))


def test_feeds_run_side_by_side_each_with_its_position(settings: Settings, tmp_path: Path) -> None:
    """Two instruments, two positions; the same feed twice is refused."""
    one = quotes(tmp_path / "a.zip", "1,1.1,1.2", "2,1.1,1.2")
    two = quotes(tmp_path / "b.zip", "1,1200,1201", symbol="xauusd")
    reports = run_feeds([one, two], settings)
    assert [(report.feed, report.published) for report in reports] == [("a.zip", 2), ("b.zip", 1)]
    assert {event.feed for event in positions(settings)} == {"a.zip", "b.zip"}
    with pytest.raises(FeedError, match="given twice"):
        run_feeds([one, one], settings)


def test_the_days_of_an_instrument_follow_one_another(settings: Settings, tmp_path: Path) -> None:
    """Side by side each would make the other late; a day begins where the one before was closed, and is not late."""
    tomorrow = quotes(tmp_path / "a.zip", "0,1.1,1.2", "900,1.1,1.2", date="20140502")
    today = quotes(tmp_path / "b.zip", "0,1.1,1.2", "86399900,1.1,1.2")
    other = quotes(tmp_path / "c.zip", "5,1200,1201", symbol="xauusd")
    reports = run_feeds([tomorrow, today, other], settings)
    assert [(report.feed, report.published) for report in reports] == [("a.zip", 2), ("b.zip", 2), ("c.zip", 1)]
    seen = [record.event for record in consume(TICKS, settings=settings)]
    times = [event.ts_event for event in seen if isinstance(event, Tick) and event.symbol == "EURUSD"]
    assert times == sorted(times)
    midnight = times[2]
    closing = next(beat for beat in heartbeats(settings) if beat.symbol == "EURUSD")
    assert closing.ts_event < midnight + 1_000_000 + settings.bar_grace_ms * 1000, "the first second is still open"
    again = quotes(tmp_path / "d.zip", "0,1.1,1.2")
    with pytest.raises(FeedError, match=r"b.zip and d.zip both are the quotes of EURUSD.OANDA"):
        run_feeds([today, again], settings)


def test_a_replay_sends_the_same_at_any_speed(settings: Settings, tmp_path: Path) -> None:
    """A gap is told by the quote after it and not by the clock, or fills would depend on the speed."""
    lines = ("0,1.1,1.2", "100,1.1,1.2", "30000,1.1,1.2", "30100,1.1,1.2")
    run_feed(quotes(tmp_path / "paced.zip", *lines), settings, speed=10)
    run_feed(quotes(tmp_path / "max.zip", *lines, symbol="xauusd"), settings)
    sent: dict[str, list[tuple[type, int]]] = {"EURUSD": [], "XAUUSD": []}
    for record in consume(TICKS, settings=settings):
        assert isinstance(record.event, Tick | Heartbeat)
        sent[record.event.symbol].append((type(record.event), record.event.ts_event))
    assert sent["EURUSD"] == sent["XAUUSD"]
    assert [kind for kind, _ in sent["EURUSD"]] == [Tick] * 4 + [Heartbeat]


def test_a_replay_takes_as_long_as_its_speed_says(settings: Settings, tmp_path: Path) -> None:
    """Three minutes of events at 100 times the speed take 1.8 seconds."""
    feed = quotes(tmp_path / "a.zip", *[f"{second * 1000},1.1,1.2" for second in range(181)])
    before = time.monotonic()
    report = run_feed(feed, settings, speed=100)
    assert time.monotonic() - before > 1.8
    assert report.published == 181
