"""`tradewind feed`: market data and news from files or the simulator, published exactly once."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, NoReturn

import click

from tradewind.connectors.archive.errors import ArchiveError
from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.infra.services.ending import stop_on_signals
from tradewind.infra.up.gate import pass_gate
from tradewind.infra.up.verdict import Verdict, write_verdict

if TYPE_CHECKING:
    from tradewind.connectors.feeds.publishing.run import FeedReport
    from tradewind.connectors.settings import Settings

TELL_S = 1.0  # between lines of progress
MOST_SPEED = "max"
ARCHIVE = "archive:"
GO_ON = "run it again to resume. Until then, execution does not process the last ticks"


class _Speed(click.ParamType):
    """A number, or `max`."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Read what was typed."""
        if value == MOST_SPEED:
            return MOST_SPEED
        try:
            return float(str(value))
        except ValueError:
            self.fail(f"{value!r} is neither a number nor {MOST_SPEED}", param, ctx)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE|simulator|archive:TOPIC...")
@click.option(
    "--speed",
    type=_Speed(),
    default="1",
    help="Speed of replay for files: a factor of event time, or max.  [default: 1]",
)
@click.option("--rate", type=float, default=1000.0, show_default=True, help="Ticks per second of the simulator.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Seed of the simulator. Each seed is a separate feed."
)
@click.option(
    "--history",
    type=float,
    default=0.0,
    show_default=True,
    help="Seconds of ticks that the simulator publishes at once at its first start.",
)
@click.option("--no-sessions", is_flag=True, help="Simulate Forex and gold at weekends, too.")
@click.option(
    "--symbol", "symbols", multiple=True, metavar="SYMBOL", help="Allow a symbol that Tradewind does not know."
)
@click.option("--quiet", is_flag=True, help="Print only the result.")
@click.option("--verdict", type=click.Path(path_type=Path), hidden=True, help="Where `up` reads how it ended.")
@plain_errors
def feed(  # noqa: PLR0917 - click passes them by name
    sources: tuple[str, ...],
    speed: float | str,
    rate: float,
    seed: int,
    history: float,
    no_sessions: bool,  # noqa: FBT001
    symbols: tuple[str, ...],
    quiet: bool,  # noqa: FBT001
    verdict: Path | None,
) -> None:
    """Publish quotes, trades and news of files, or of the simulator, to market.ticks, market.trades and market.news.

    Sources run side by side, except files of the same instrument, which run one after the other. Each record is
    published exactly once: a stopped or killed feed resumes where it was, and a completely published file is not
    published again. At Ctrl-C or SIGTERM, the feed finishes its present block.

    archive:TOPIC publishes the records of the archive to their topic again, byte for byte.

    Exits 1 if nothing of a source was published, or less than was rejected.
    """
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.feeds.feed import FeedError  # noqa: PLC0415
    from tradewind.connectors.feeds.publishing.telemetry import FeedTelemetry  # noqa: PLC0415
    from tradewind.connectors.feeds.publishing.together import run_feeds  # noqa: PLC0415
    from tradewind.connectors.feeds.sources import open_feed  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.infra.services.disk import tell_disk  # noqa: PLC0415

    pass_gate()
    settings = Settings()
    if any(source.startswith(ARCHIVE) for source in sources):
        _from_archive(sources, settings, None if isinstance(speed, str) else speed, verdict, quiet=quiet)
    stop = Event()
    try:
        feeds = [
            open_feed(source, seed=seed, rate=rate, symbols=symbols, sessions=not no_sessions, history_s=history)
            for source in sources
        ]
        stop_on_signals(stop)
        with telemetry(settings, "feed") as told, guarded(settings, "feed", told.health) as guard:
            tell_disk(told.health, settings)
            guard.start(stop.set)
            progress = FeedTelemetry(told, (one.name for one in feeds), None if quiet else _Progress())
            reports = run_feeds(
                feeds, settings, speed=None if isinstance(speed, str) else speed, stop=stop, on_progress=progress
            )
    except FeedError as error:  # of the source: another run would end in the same way
        write_verdict(verdict, Verdict(well=False, text=str(error)))
        raise
    for report in reports:
        _tell(report)
    failures = [f"{report.feed}: {report.failure}" for report in reports if report.failure is not None]
    for failure in failures:
        click.echo(f"failed: {failure}", err=True)
    write_verdict(verdict, Verdict(not failures, "; ".join(failures or map(_counts, reports))))
    sys.exit(1 if failures else 0)


def _from_archive(
    sources: tuple[str, ...], settings: Settings, speed: float | None, verdict: Path | None, *, quiet: bool
) -> NoReturn:
    """Publish topics of the archive, and exit."""
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.copying.copy import Copied, Copying  # noqa: PLC0415
    from tradewind.connectors.copying.errors import CopyRefused  # noqa: PLC0415
    from tradewind.connectors.copying.slice import Slice  # noqa: PLC0415
    from tradewind.connectors.copying.source import ArchiveSource  # noqa: PLC0415
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.infra.cli.trading.copying import Progress  # noqa: PLC0415
    from tradewind.topics import DOMAIN_TOPICS, topic_named  # noqa: PLC0415

    other = [source for source in sources if not source.startswith(ARCHIVE)]
    if other:
        raise click.UsageError(f"{other[0]} and {ARCHIVE}... are fed by two commands")
    topics = tuple(topic_named(source.removeprefix(ARCHIVE), DOMAIN_TOPICS) for source in dict.fromkeys(sources))
    stop = Event()
    stop_on_signals(stop)
    try:
        with telemetry(settings, "feed") as told, guarded(settings, "feed", told.health) as guard:
            guard.start(stop.set)
            codec = open_codec(settings, PATIENT_ATTEMPTS)
            with ArchiveSource(settings, topics) as source:
                copying = Copying(source, Slice(topics), settings, codec, speed, "tradewind.feed-archive", shared=True)
                done: Copied = copying.run(stop, (lambda _: None) if quiet else Progress())
    except (ArchiveError, CopyRefused) as error:  # of the source: another run would end in the same way
        write_verdict(verdict, Verdict(well=False, text=str(error)))
        raise
    counts = ", ".join(f"{topic} {count:,}" for topic, count in sorted(done.topics.items()))
    if done.finished and not done.count:
        counts = "already published; nothing was published again"
    text = f"archive: {counts or 'nothing published'}; {'finished' if done.finished else f'stopped; {GO_ON}'}"
    click.echo(text)
    write_verdict(verdict, Verdict(well=True, text=text))
    sys.exit(0)


class _Progress:
    """Prints how far each feed is, now and then."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told: dict[str, tuple[float, int]] = {}
        self._warned: set[str] = set()

    def __call__(self, report: FeedReport) -> None:
        """Take a report of a feed; feeds run in threads."""
        with self._lock:
            now = time.monotonic()
            since, count = self._told.setdefault(report.feed, (now, report.published))
            if now - since < TELL_S:
                return
            if report.late and report.feed not in self._warned:
                self._warned.add(report.feed)
                click.echo(_late(report), err=True)
            self._told[report.feed] = (now, report.published)
            rate = (report.published - count) / (now - since)
            click.echo(f"{_counts(report)}, {rate:,.0f}/s, {_moment(report.ts_event)}", err=True)


def _tell(report: FeedReport) -> None:
    if report.already:
        click.echo(f"{report.feed}: already published, {report.position:,} records; nothing was published again")
        return
    for rejection in report.rejections:
        click.echo(f"{report.feed}:{rejection.line}: {rejection.reason}: {rejection.text!r}", err=True)
    for name, kind in report.kinds.items():
        if not kind.known:
            click.echo(
                f"{report.feed}:{kind.line}: unknown kind {name!r}, {kind.count:,} records, the first: {kind.text!r}",
                err=True,
            )
    if report.late:
        click.echo(_late(report), err=True)
    more = report.rejected - len(report.rejections)
    if more > 0:
        click.echo(f"{report.feed}: {more:,} more were rejected", err=True)
    rate = report.published / report.seconds if report.seconds else 0.0
    state = "finished" if report.finished else f"stopped after record {report.position:,}; {GO_ON}"
    click.echo(f"{_counts(report)} in {report.seconds:.1f} s ({rate:,.0f}/s); {state}")


def _late(report: FeedReport) -> str:
    return (
        f"warning: {report.feed}: {report.late:,} ticks are earlier than what {report.late_after}. They go to "
        "market.ticks.late and make no bars, so that no strategy sees them. Feed the oldest file first, or feed this "
        "one to a stack of its own (--data DIR)."
    )


def _counts(report: FeedReport) -> str:
    if report.already:
        return f"{report.feed}: was published before, {report.published_before:,} ticks and trades"
    kinds = ", ".join(f"{name} {kind.count:,}" for name, kind in report.kinds.items())
    told = f"{report.feed}: {report.published:,} published, {report.rejected:,} rejected, {report.skipped:,} skipped"
    told = f"{told} ({kinds})" if kinds else told
    return f"{told}, {report.late:,} of them late" if report.late else told


def _moment(ts_event: int) -> str:
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415

    return f"event time {time_to_json(ts_event)}"
