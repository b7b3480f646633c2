"""`tradewind sink`: write topics to stores until SIGTERM or Ctrl-C."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from types import FrameType
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.infra.services.ending import heard
from tradewind.infra.up.gate import pass_gate

if TYPE_CHECKING:
    from tradewind.connectors.sinks.loop.sink_loop import SinkLoop
    from tradewind.connectors.sinks.sink import SinkFactory

ENTRY_POINTS = "tradewind.sinks"
"""Group of the entry points that name sinks of other packages."""
COLLECT_AFTER = 200_000
"""Objects between two garbage collections. Records come by the ten thousand and hold no cycles: at Python's 700,
looking for them takes a third of a sink's time."""
NOTICE_S = 0.2
log = logging.getLogger(__name__)


def factories() -> Mapping[str, SinkFactory]:
    """Return every sink: ours, and those of installed packages."""
    from tradewind.connectors.sinks.archive import ArchiveSink  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.sinks.influxdb import InfluxDbSink  # noqa: PLC0415
    from tradewind.connectors.sinks.postgres import PostgresSink  # noqa: PLC0415
    from tradewind.connectors.sinks.questdb.sink import QuestDbSink  # noqa: PLC0415

    installed = {point.name: point.load() for point in entry_points(group=ENTRY_POINTS)}
    return {**installed, **{one.name: one for one in (QuestDbSink, InfluxDbSink, PostgresSink, ArchiveSink)}}


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def sink(names: tuple[str, ...]) -> None:
    """Write topics to stores.

    The sinks are questdb or influxdb (ticks, trades, bars), postgres (orders, fills, positions), archive (every record,
    as Parquet files), and your own.

    Stops within 5 s of SIGTERM or Ctrl-C. Exits 1 if a sink cannot continue.
    """
    set_up_log()
    from tradewind.connectors.cluster.guard import guarded  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.connectors.sinks.loop.sink_loop import SinkLoop  # noqa: PLC0415
    from tradewind.connectors.sinks.loop.telemetry import SinkTelemetry  # noqa: PLC0415
    from tradewind.connectors.telemetry.process import telemetry  # noqa: PLC0415
    from tradewind.connectors.watchdogs.watch import watched  # noqa: PLC0415
    from tradewind.infra.services.disk import tell_disk  # noqa: PLC0415

    known = factories()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.UsageError(f"there is no sink {unknown[0]!r}; sinks are: {', '.join(sorted(known))}")
    pass_gate()
    stop = _stopped_by_signals()
    settings = Settings()
    chosen = tuple(dict.fromkeys(names))
    with (
        telemetry(settings, "-".join(chosen)) as told,
        guarded(settings, f"sink {'-'.join(chosen)}", told.health) as guard,
    ):
        tell_disk(told.health, settings)
        codec = open_codec(settings, PATIENT_ATTEMPTS)
        loops = [SinkLoop(settings, known[name](settings), codec) for name in chosen]
        guard.start(stop.set)
        sinks = [SinkTelemetry(loop, told) for loop in loops]
        gc.collect()
        gc.freeze()
        gc.set_threshold(COLLECT_AFTER)
        with watched(sinks, settings, codec, told.health):
            well = run(loops, stop)
    if not well:
        sys.exit(1)


def _stopped_by_signals() -> threading.Event:
    stop = threading.Event()

    def told(number: int, _frame: FrameType | None) -> None:
        log.info("stopping: %s", signal.Signals(number).name)
        stop.set()

    for number in heard():
        signal.signal(number, told)
    return stop


def run(loops: Sequence[SinkLoop], stop: threading.Event) -> bool:
    """Run sinks, each in threads of its own, until `stop` is set or one cannot go on; return whether all ended well."""
    failed: list[str] = []

    def one(loop: SinkLoop) -> None:
        try:
            loop.run(stop)
        except Exception:
            log.exception("sink %s cannot continue, so all sinks of this process stop", loop.sink.name)
            failed.append(loop.sink.name)
        finally:
            stop.set()

    threads = [threading.Thread(target=one, args=(loop,), name=loop.sink.name) for loop in loops]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        stop.wait(NOTICE_S)  # the main thread must be awake for signals to be served
        if stop.is_set():
            for thread in threads:
                thread.join()
    return not failed
