"""`tradewind consume`: the events of a topic as lines of JSON, which `tradewind publish` reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from tradewind.infra.cli.plain_errors import plain_errors

if TYPE_CHECKING:
    from tradewind.connectors.billing.door import Door
    from tradewind.connectors.kafka.consumption import Record, Undecodable
    from tradewind.connectors.kafka.records import Start

DOOR = "consume"
"""Under which this command counts what tenants use."""


class _StartType(click.ParamType):
    """`earliest`, `latest`, an offset, or a time."""

    name = "start"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Start:
        """Read what was typed."""
        text = str(value)
        if text == "earliest":
            return "earliest"
        if text == "latest":
            return "latest"
        if text.isdecimal():
            return int(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is not earliest, latest, an offset or a time such as 2026-01-31T09:00:00Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{text!r} has no time zone: write {moment.isoformat()}Z for UTC", param, ctx)
        return moment


@click.command()
@click.argument("topic")
@click.option("--tenant", metavar="TENANT", help="Only events of this tenant, and events that all tenants share.")
@click.option(
    "--from",
    "start",
    type=_StartType(),
    default="earliest",
    metavar="WHERE",
    help="earliest, latest, an offset, or a time of arrival (2026-01-31T09:00:00Z).  [default: earliest]",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N events.")
@click.option("--follow", is_flag=True, help="Wait for new events.")
@plain_errors
def consume(topic: str, tenant: str | None, start: Start, limit: int | None, follow: bool) -> None:  # noqa: FBT001 - click's
    """Print the events of TOPIC, one JSON object a line.

    Times are ISO 8601 in UTC, decimals are strings; `at` is topic/partition@offset. If a record is not an event of the
    topic, the command reports its coordinates and exits 1 at the end. Numbers that JSON does not have are printed as
    "NaN", "Infinity" and "-Infinity". With --tenant, the call, its time and each tick count as usage of the tenant.
    """
    from tradewind.connectors.billing.door import Door  # noqa: PLC0415 - help comes at once
    from tradewind.connectors.kafka.consumption import consume as consume_topic  # noqa: PLC0415
    from tradewind.connectors.registry import open_codec  # noqa: PLC0415
    from tradewind.connectors.settings import Settings  # noqa: PLC0415
    from tradewind.infra.cli.events.topic_names import find_topic  # noqa: PLC0415
    from tradewind.infra.cli.known_tenants import require_tenant  # noqa: PLC0415

    settings = Settings()
    require_tenant(tenant, settings)
    read = find_topic(topic, settings)
    bad: list[Undecodable] = []

    def told(record: Undecodable) -> None:
        bad[:] = [record]
        click.echo(f"not an event: {record}", err=True)

    codec = open_codec(settings)
    records = consume_topic(
        read,
        settings=settings,
        tenant=tenant,
        start=start,
        limit=limit,
        follow=follow,
        on_undecodable=told,
        codec=codec,
    )
    with ExitStack() as stack:
        if tenant is not None:
            door = stack.enter_context(Door.opened(DOOR, settings, codec))
            records = stack.enter_context(_counted(records, door, tenant, read.name))
        none = not _print(records, flush=follow)
    if bad:
        sys.exit(1)
    if none:
        whose = "" if tenant is None else f" of {tenant}"
        click.echo(f"no events{whose} on {settings.physical(read)}" + _since(start), err=True)


@contextmanager
def _counted(records: Iterator[Record], door: Door, tenant: str, topic: str) -> Iterator[Iterator[Record]]:
    """Count a call, and the time and the records until the context ends, as usage of a tenant."""
    door.called(tenant, DOOR)

    def served() -> Iterator[Record]:
        for record in records:
            yield record
            door.served(tenant, record.event)

    with door.tally.streaming(tenant, topic):
        yield served()


def _print(records: Iterator[Record], *, flush: bool) -> bool:
    """Print records as lines of JSON, each at once if `flush`; return whether there was one."""
    from tradewind.connectors.kafka.json_events import event_to_json, strict_json  # noqa: PLC0415

    out, some = sys.stdout, False
    for record in records:
        shown = (
            {"at": record.at, "deleted": record.key.decode("utf-8", "replace")}
            if record.event is None
            else event_to_json(record.event, record.at)
        )
        out.write(strict_json(shown, encoding=out.encoding) + "\n")
        some = True
        if flush:
            out.flush()
    return some


def _since(start: Start) -> str:
    """Return from where nothing was found, as a person named it."""
    if isinstance(start, str):
        return "" if start == "earliest" else f" from {start} on"
    return f" from offset {start} on" if isinstance(start, int) else f" that came in at {start.isoformat()} or later"
