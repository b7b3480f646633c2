"""`tradewind feed`: market data from files or the simulator, published exactly once."""

from __future__ import annotations

import signal
import time
from threading import Event, Lock
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.plain_errors import plain_errors
from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.feeds.run import FeedReport

TELL_S = 1.0  # between lines of progress
MOST_SPEED = "max"


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
@click.argument("sources", nargs=-1, required=True, metavar="FILE|simulator...")
@click.option(
    "--speed",
    type=_Speed(),
    default="1",
    help="How fast to replay files: a factor of event time, or max.  [default: 1]",
)
@click.option("--rate", type=float, default=1000.0, show_default=True, help="The simulator's ticks a second.")
@click.option("--seed", type=int, default=1, show_default=True, help="The simulator's seed: each is a feed of its own.")
@click.option(
    "--history",
    type=float,
    default=0.0,
    show_default=True,
    help="Seconds of ticks that the simulator gives at once at its very first start.",
)
@click.option("--no-sessions", is_flag=True, help="Let the simulator's Forex and gold trade at weekends.")
@click.option("--symbol", "symbols", multiple=True, metavar="SYMBOL", help="Allow a symbol that is not known.")
@click.option("--quiet", is_flag=True, help="Tell only the result.")
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
) -> None:
    """Publish quotes and trades of files, or of the simulator, to market.ticks and market.trades.

    Several run side by side, but for files of the same instrument, which follow one another. Each is published
    exactly once: what was stopped or killed goes on where it was, and a file that was published whole is not
    published again. Ctrl-C or SIGTERM ends after the block in hand.
    """
    from tradewind.connectors.feeds.sources import open_feed  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.feeds.telemetry import FeedTelemetry  # noqa: PLC0415
    from tradewind.connectors.feeds.together import run_feeds  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415

    pass_gate()
    settings = Settings()
    feeds = [
        open_feed(source, seed=seed, rate=rate, symbols=symbols, sessions=not no_sessions, history_s=history)
        for source in sources
    ]
    stop = Event()
    _stop_on_signals(stop)
    with telemetry(settings, "feed") as told:
        progress = FeedTelemetry(told, (one.name for one in feeds), None if quiet else _Progress())
        reports = run_feeds(
            feeds, settings, speed=None if isinstance(speed, str) else speed, stop=stop, on_progress=progress
        )
    for report in reports:
        _tell(report)


def _stop_on_signals(stop: Event) -> None:
    """End in order on the first signal, at once on the second."""

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)


class _Progress:
    """Prints how far each feed is, now and then."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._told: dict[str, tuple[float, int]] = {}

    def __call__(self, report: FeedReport) -> None:
        """Take a report of a feed; feeds run in threads."""
        with self._lock:
            now = time.monotonic()
            since, count = self._told.setdefault(report.feed, (now, report.published))
            if now - since < TELL_S:
                return
            self._told[report.feed] = (now, report.published)
            rate = (report.published - count) / (now - since)
            click.echo(f"{_counts(report)}, {rate:,.0f}/s, {_moment(report.ts_event)}", err=True)


def _tell(report: FeedReport) -> None:
    if report.already:
        click.echo(f"{report.feed}: already published, {report.position:,} records; nothing was published again")
        return
    for rejection in report.rejections:
        click.echo(f"{report.feed}:{rejection.line}: {rejection.reason}: {rejection.text!r}", err=True)
    more = report.rejected - len(report.rejections)
    if more > 0:
        click.echo(f"{report.feed}: {more:,} more were rejected", err=True)
    rate = report.published / report.seconds if report.seconds else 0.0
    state = "finished" if report.finished else f"stopped after record {report.position:,}; run it again to go on"
    click.echo(f"{_counts(report)} in {report.seconds:.1f} s ({rate:,.0f}/s); {state}")


def _counts(report: FeedReport) -> str:
    return f"{report.feed}: {report.published:,} published, {report.rejected:,} rejected, {report.skipped:,} skipped"


def _moment(ts_event: int) -> str:
    from tradewind.connectors.kafka.json_events import time_to_json  # noqa: PLC0415

    return f"event time {time_to_json(ts_event)}"
