"""Kill switches where they are kept: read from the topic and from PostgreSQL, written, and published again."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from tradewind.connectors.cluster.kept import on_postgres
from tradewind.connectors.cluster.last_switches import COMMAND, LAST, TABLE, kept_of, stored, write_last
from tradewind.connectors.cluster.look import look
from tradewind.connectors.cluster.switches import Kept, OnTopic, Whose, current, lost, whose
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.consumption import Undecodable, consume
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.risk import KillSwitch
from tradewind.topics import KILL_SWITCHES

ADD = (
    f"INSERT INTO kill_switches ({', '.join(COMMAND)}) "  # noqa: S608 - the names are ours
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(COMMAND) + 1))}) ON CONFLICT DO NOTHING"
)
FORGET = f"""
DELETE FROM {TABLE} WHERE tenant_id IS NOT DISTINCT FROM $1 AND account_id IS NOT DISTINCT FROM $2
AND (topic_id IS DISTINCT FROM $3 OR partition >= $4)
"""  # noqa: S608 - the names are ours
"""What another topic had for somebody of whom this one tells."""
log = logging.getLogger(__name__)


def kept_switches(settings: Settings) -> list[Kept]:
    """Return each partition's last command for each tenant and account that PostgreSQL has; raises `KeptAway`."""

    async def work(connection: Connection) -> list[Kept]:
        return [kept_of(row) for row in await connection.fetch(LAST)]

    return on_postgres(settings, work, TABLE, [])


def keep_switches(settings: Settings, topic: OnTopic, of: Iterable[Whose]) -> bool:
    """Keep the topic's last commands for some; returns whether there is a table for them. Raises `KeptAway`."""
    last: dict[Whose, list[Kept]] = {one: [] for one in of}
    for kept in topic.last():
        if whose(kept.command) in last:
            last[whose(kept.command)].append(kept)

    async def work(connection: Connection) -> bool:
        for (tenant, account), kept in sorted(last.items(), key=lambda item: (item[0][0] or "", item[0][1] or "")):
            if not kept:
                continue
            await connection.execute(FORGET, tenant, account, topic.topic_id, len(topic.commands))
            await write_last(connection, kept)
            rows = [[stored(name, getattr(one.command, name)) for name in COMMAND] for one in kept]
            await connection.executemany(ADD, rows)
        return True

    return on_postgres(settings, work, TABLE, absent=False)


def keep_published(settings: Settings, switch: KillSwitch) -> bool:
    """Keep a command that was published, as `keep_switches` does: with its place, so it is read again.

    Raises `KeptAway` and `StreamError`.
    """
    return keep_switches(settings, topic_switches(settings), [whose(switch)])


def topic_switches(settings: Settings, codec: Codec | None = None) -> OnTopic:
    """Return the commands that each partition of the topic has; raises `StreamError`.

    A record that is no command, or one out of range, is left out: the agents make a dead letter of it.
    """
    name = settings.physical(KILL_SWITCHES)
    topic_id = look(settings, [name]).found.topics.get(name)
    found: dict[int, dict[int, KillSwitch]] = {number: {} for number in range(require(settings, KILL_SWITCHES))}
    for record in consume(KILL_SWITCHES, settings=settings, codec=codec, on_undecodable=_left_out):
        if isinstance(record.event, KillSwitch) and flaw_of(record.event) is None:
            found[record.partition][record.offset] = record.event
    return OnTopic(found, topic_id)


@dataclass(frozen=True, slots=True)
class Switches:
    """The kill switches as they are."""

    held: dict[Whose, KillSwitch]
    """The command that holds for each, engaged or not."""
    lost: list[KillSwitch]
    """Engaged ones that the topic lacks: nothing denies their orders until they are published again."""
    topic: OnTopic


def find_switches(settings: Settings, codec: Codec | None = None) -> Switches:
    """Compare PostgreSQL with the topic; raises `KeptAway` and `StreamError`."""
    kept, topic = kept_switches(settings), topic_switches(settings, codec)
    return Switches(current(kept, topic), lost(kept, topic), topic)


def restore_switches(settings: Settings, codec: Codec | None = None) -> list[KillSwitch]:
    """Publish the engaged switches that the topic lacks, and keep in PostgreSQL what the topic has then.

    Returns those that were published again: under their own ids, as they were. Raises `KeptAway` and `StreamError`.
    """
    found = find_switches(settings, codec)
    topic = found.topic
    if found.lost:
        publish(KILL_SWITCHES, found.lost, settings)
        topic = topic_switches(settings, codec)
    keep_switches(settings, topic, found.held)
    return found.lost


def _left_out(record: Undecodable) -> None:
    log.warning("a record of the kill switches' topic is no command: %s", record)
