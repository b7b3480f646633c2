"""The tables that people see: what flows, for `up`; and all that is known, for `status`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tradewind.connectors.health.flow import Lag
from tradewind.connectors.health.names import ALL_LETTERS, DENIED, LATE, TOTALS
from tradewind.connectors.health.watch import Glance
from tradewind.infra.services.disk import Level
from tradewind.infra.status.names import readers

if TYPE_CHECKING:
    from tradewind.infra.status.report import Report
    from tradewind.infra.status.standing import Standing
    from tradewind.infra.up.state import WorkerState

SHOWN = {
    LATE: "late ticks",
    DENIED: "denials",
    ALL_LETTERS: "dead letters",
    "ai_requests": "AI requests",
    "ai_responses": "AI responses",
}
"""Totals that people know by another name."""
GROUP_PREFIX = "tradewind."
HOUR_S, MINUTE_S = 3600, 60


def flow_table(glance: Glance | None, up_s: float | None = None) -> Table:
    """Return totals and rates beside the lag of each consumer group; with `up_s`, seconds, as `up` shows it."""
    title = None if up_s is None else f"tradewind  up {clock(up_s)}  (Ctrl-C stops)"
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for name in ("", "total", "per second", "", "reader", "lag", *(["seconds"] if up_s is None else [])):
        table.add_column(name, justify="left" if name in {"", "reader"} else "right")
    if glance is None:
        table.add_row("counting")
        return table
    totals = [(SHOWN.get(name, name), f"{glance.totals[name]:,}", f"{glance.rates[name]:,.1f}") for name in TOTALS]
    for left, right in zip_longest(totals, group_lags(glance.lags), fillvalue=("", "", "")):
        table.add_row(*left, "", *(right if up_s is None else right[:2]))
    if glance.uncounted:
        table.caption = f"{glance.uncounted:,} offsets are still to be counted"
    return table


def group_lags(lags: Iterable[Lag]) -> list[tuple[str, str, str]]:
    """Return each group, as events pass them: its lag over all partitions, and how many seconds it is behind."""
    by_group: dict[str, list[Lag]] = {}
    for lag in lags:
        by_group.setdefault(lag.group.rpartition(GROUP_PREFIX)[2], []).append(lag)
    known = readers()
    order = [*known, *sorted(by_group.keys() - set(known))]
    return [
        (
            group,
            f"{sum(lag.lag for lag in by_group[group]):,}",
            f"{max(lag.lag_seconds or 0.0 for lag in by_group[group]):,.1f}",
        )
        for group in order
        if group in by_group
    ]


def tables(report: Report) -> RenderableType:
    """Return services, workers, what flows, and topics."""
    services = Table("service", "", "version", "url", box=SIMPLE_HEAD)
    services.columns[-1].overflow = "fold"  # a path or an address that is cut is of no use
    for service in report.services:
        sign = Text("up", "green") if service.healthy else Text(f"down: {service.detail}", "red")
        services.add_row(service.name, sign, service.version, service.url)
    workers = Table("worker", "", "ready", "pid", "ended", "log", box=SIMPLE_HEAD)
    workers.columns[-1].overflow = "fold"
    for worker in report.workers:
        style = "red" if worker.down else "green"
        phase, ended = Text(worker.phase, style), str(worker.deaths)
        workers.add_row(worker.name, phase, _ready(worker), str(worker.pid or ""), ended, Text(worker.log))
    known, flowing = _standing(report.standing), _held(report)
    parts: list[RenderableType] = [services, *([workers] if report.workers else []), *known, *flowing]
    if report.stored is not None:
        parts.append(Text(str(report.stored), "yellow" if report.stored.trouble is not None else ""))
    notes = [report.killed, None if report.disk is None or report.disk.level is Level.ROOM else report.disk.message]
    parts.extend(Text(note, "red") for note in notes if note is not None)
    if report.glance is None:
        counted = ", ".join(f"{SHOWN.get(name, name)} {events:,}" for name, events in report.totals.items())
        return Group(*parts, Text(f"{report.trouble}. What was counted before: {counted}", "yellow"))
    topics = Table("topic", "records", "per second", "MB", box=SIMPLE_HEAD)
    for column in topics.columns[1:]:
        column.justify = "right"
    for topic in report.glance.topics:
        size = report.bytes.get(topic.name)
        shown = "" if size is None else f"{size / 1e6:,.1f}"
        topics.add_row(topic.name, f"{topic.records:,}", f"{topic.rate_per_s:,.1f}", shown)
    return Group(*parts, flow_table(report.glance), topics)


def _standing(standing: Standing) -> list[RenderableType]:
    """Return what a person must know of the cluster and of halted tenants."""
    parts: list[RenderableType] = []
    if standing.differences:
        parts.append(Text(standing.remedy, "red"))
    if standing.unchecked:
        parts.append(Text(f"not compared: {standing.unchecked}", "yellow"))
    for halt in standing.halts:
        lost = "" if halt.in_force else "; Kafka has LOST the switch, and orders pass: run `./dev prepare`"
        parts.append(Text(f"halted: {halt.whom} ({halt.reason}){lost}", "yellow" if halt.in_force else "red"))
    return parts


def _held(report: Report) -> list[RenderableType]:
    """Return what is held and what stands still; nothing where all flows."""
    held = [Text(f"held: {of}", "yellow") for of in report.held]
    held += [Text(f"waits: {of}", "yellow") for worker in report.workers for of in worker.waiting]
    return [*held, *(Text(f"stands still: {reason}", "red") for reason in report.stands_still)]


def _ready(worker: WorkerState) -> Text:
    """Return whether a worker is ready, and why not."""
    if worker.ready is None:
        return Text("")
    return Text("yes", "green") if worker.ready else Text("; ".join(worker.reasons) or "no", "red")


def clock(seconds: float) -> str:
    """Return a length of time as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // HOUR_S}:{whole % HOUR_S // MINUTE_S:02}:{whole % MINUTE_S:02}"
