"""The table of each partition's last kill switches: statements, and rows. Whoever writes it brings a connection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg

from tradewind.connectors.cluster.switches import Kept, whose
from tradewind.connectors.postgres.connection import Connection
from tradewind.schemas.risk import KillSwitch

TABLE = "last_kill_switches"
COMMAND = tuple(field.name for field in fields(KillSwitch))
COLUMNS = (*COMMAND, "partition", "place", "topic_id")
TIMES = ("ts_event", "ts_ingest")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LAST = f"SELECT {', '.join(COLUMNS)} FROM {TABLE}"  # noqa: S608 - the names are ours
KEEP = f"""
INSERT INTO {TABLE} AS kept ({", ".join(COLUMNS)})
VALUES ({", ".join(f"${number}" for number in range(1, len(COLUMNS) + 1))})
ON CONFLICT (coalesce('=' || tenant_id, '*'), coalesce('=' || account_id, '*'), partition)
DO UPDATE SET ({", ".join(COLUMNS)}) = ({", ".join(f"excluded.{name}" for name in COLUMNS)})
WHERE kept.topic_id IS DISTINCT FROM excluded.topic_id OR kept.place < excluded.place
OR (kept.topic_id IS NULL AND excluded.engaged)
"""  # noqa: S608 - the names are ours
"""In one topic the later place wins. Another topic is a newer one: the old one is gone, and its writers with it.

If the topic's id is not known, the topic may have been recreated, so offsets may have begun at 0 again. Then an engaged
command wins as well.
"""


async def write_last(connection: Connection, last: Iterable[Kept]) -> None:
    """Write rows in an order that all writers have, so that two never wait for each other; the later wins."""
    await connection.executemany(KEEP, [row_of(one) for one in sorted(last, key=_order)])


def row_of(kept: Kept) -> list[Any]:
    """Return the values of a row in the order of `COLUMNS`."""
    command = [stored(name, getattr(kept.command, name)) for name in COMMAND]
    return [*command, kept.partition, kept.place, kept.topic_id]


def kept_of(row: asyncpg.Record) -> Kept:
    """Return what a row says."""
    values = {name: row[name] for name in COMMAND}
    times = {name: (cast("datetime", values[name]) - EPOCH) // MICROSECOND for name in TIMES}
    return Kept(KillSwitch(**{**values, **times}), row["partition"], row["place"], row["topic_id"])


def stored(name: str, value: Any) -> Any:
    """Return a field of a command as PostgreSQL has it."""
    return EPOCH + value * MICROSECOND if name in TIMES else value


def _order(kept: Kept) -> tuple[str, str, int]:
    tenant, account = whose(kept.command)
    return tenant or "", account or "", kept.partition
