"""Reads a balance: positions of readers first, then ends of topics from the last to the first, then the records.

What a reader had taken before any end was asked for has led to records before those ends. So what is missing was never
written, and is not only late. Nothing is stopped, no group is joined, and nothing is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind.connectors.balance import stored
from tradewind.connectors.balance.stored import TABLES, Snapshot
from tradewind.connectors.health.groups import Groups
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.offsets import Bounds, Offsets
from tradewind.connectors.kafka.offsets import Place as Partition
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.processors.balance.equation import Equation, Place
from tradewind.processors.balance.holdings import Cash, Holdings
from tradewind.processors.balance.orders import Orders
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.portfolio import DeploymentPosition, Position
from tradewind.schemas.risk import Decision
from tradewind.topics import (
    DECISIONS,
    DEPLOYMENT_POSITIONS,
    FILLS,
    ORDER_EVENTS,
    ORDER_REQUESTS,
    POSITIONS,
    Topic,
)

ANSWER_S: Final = 10.0
READERS: Final = ("risk", "execution", "portfolio")
"""The agents whose positions say what must have been answered."""
UPWARDS: Final = (POSITIONS, DEPLOYMENT_POSITIONS, FILLS, ORDER_EVENTS, DECISIONS, ORDER_REQUESTS)
"""From effects to causes: their ends are asked for in this order."""
Progress = Callable[[str, int], None]
"""Is told the topic and the records of it so far."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The equations at named offsets."""

    equations: list[Equation]
    cash: list[Cash]
    ends: dict[Partition, int]
    """(topic on the cluster, partition) -> the offset before which records were compared."""
    took_s: float

    @property
    def balanced(self) -> bool:
        """Whether every equation holds."""
        return all(equation.balanced for equation in self.equations)


async def balance(settings: Settings, progress: Progress = lambda _topic, _records: None) -> Balance:
    """Read and compare.

    Raises `StreamError` or `KafkaException` if Kafka does not answer, `UnknownTopic`, `OSError` or
    `asyncpg.PostgresError` if PostgreSQL does not, and `TooManyOrders` or `TooManyHoldings`. It blocks while it reads
    Kafka: give it a thread and a loop of its own.
    """
    began = time.monotonic()
    connection = await connect(settings)
    try:
        committed = _committed(settings)
        rows = await stored.snapshot(connection)
        bounds = _bounds(settings)
        reading = _Reading(settings, bounds, rows, progress)
        cut = frozenset(topic.name for topic in UPWARDS if reading.is_cut(topic))
        orders, holdings = Orders(cut), Holdings(whole=FILLS.name not in cut)
        reading.read(orders, holdings)
        equations = orders.equations(committed["risk"], committed["execution"])
        for table in TABLES:
            equation = reading.rows_equation(table)
            ids = reading.ids[table]
            for lacking in await stored.missing(connection, table, list(ids)):
                equation.breaks(ids[lacking], f"event {lacking} has no row in the table {table}")
            equations.append(equation)
        equations += holdings.equations(committed["portfolio"])
    finally:
        await connection.close()
    ends = {at: end for at, (_, end) in bounds.items()}
    return Balance(equations, list(holdings.cash()), ends, time.monotonic() - began)


def _committed(settings: Settings) -> dict[str, dict[Partition, int]]:
    """Return what each reader has taken: agent -> (topic without namespace, partition) -> offset."""
    groups = Groups(settings, ANSWER_S)
    names = {settings.physical(f"tradewind.{agent}"): agent for agent in READERS}
    try:
        found = groups.committed(names)
    finally:
        groups.close()
    taken: dict[str, dict[Partition, int]] = {agent: {} for agent in READERS}
    for (group, (topic, number)), offset in found.items():
        taken[names[group]][topic.removeprefix(settings.namespace), number] = offset
    return taken


def _bounds(settings: Settings) -> dict[Partition, Bounds]:
    offsets = Offsets(settings, answer_s=ANSWER_S)
    found: dict[Partition, Bounds] = {}
    try:
        for topic in UPWARDS:
            name = settings.physical(topic)
            found |= offsets.bounds([(name, number) for number in range(require(settings, topic))])
    finally:
        offsets.close()
    return found


class _Reading:
    """One pass over the topics."""

    def __init__(
        self, settings: Settings, bounds: Mapping[Partition, Bounds], snapshot: Snapshot, progress: Progress
    ) -> None:
        self._settings = settings
        self._codec: Codec = open_codec(settings)
        self._bounds = bounds
        self._snapshot = snapshot
        self._progress = progress
        self.ids: dict[str, dict[str, Place]] = {table: {} for table in TABLES}
        """Table -> event id -> where it was first met, of what the sink has written."""

    def is_cut(self, topic: Topic) -> bool:
        """Tell whether retention has removed records of a topic. Of a compacted one, it keeps what matters."""
        name = self._settings.physical(topic)
        return topic.cleanup == "delete" and any(first for (of, _), (first, _) in self._bounds.items() if of == name)

    def read(self, orders: Orders, holdings: Holdings) -> None:
        """Read every topic once, so that causes come before effects, and positions before the fills they count."""
        for topic in (POSITIONS, DEPLOYMENT_POSITIONS):
            for at, event in self._events(topic):
                if isinstance(event, Position | DeploymentPosition):
                    holdings.take_position(at, event)
        for table, topic in TABLES.items():
            for at, event in self._events(topic):
                if not isinstance(event, OrderRequest | Decision | OrderEvent | Fill):
                    continue
                orders.take(at, event)
                if isinstance(event, Fill):
                    holdings.take_fill(at, event)
                if event.tenant_id is not None and at.offset < self._written(at):
                    self.ids[table].setdefault(event.event_id, at)

    def rows_equation(self, table: str) -> Equation:
        """Return the equation of a table and its topic."""
        topic = TABLES[table]
        equation = Equation(f"events of {topic.name} = rows of {table}")
        equation.left, equation.right = len(self.ids[table]), self._snapshot.rows[table]
        if self.is_cut(topic):
            equation.note = f"retention has removed records of {topic.name}: there may be more rows than events"
        elif equation.right > equation.left:
            more = equation.right - equation.left
            equation.breaks(f"table {table}", f"it has {more:,} more rows than the topic has events")
        return equation

    def _written(self, at: Place) -> int:
        return self._snapshot.written.get((at.topic, at.partition), 0)

    def _events(self, topic: Topic) -> Iterator[tuple[Place, Event]]:
        name = self._settings.physical(topic)
        ends = {number: end for (of, number), (_, end) in self._bounds.items() if of == name}
        read = 0
        for batch in raw_records(self._settings, name, sorted(ends), "earliest"):
            read += len(batch)
            self._progress(topic.name, read)
            for message in batch:
                event = self._decoded(message, ends)
                if event is not None:
                    yield Place(topic.name, message.partition(), message.offset()), event

    def _decoded(self, message: Any, ends: Mapping[int, int]) -> Event | None:
        """Return an event; None past the end, for a tombstone, and for what no agent could read either."""
        value = message.value()
        if value is None or message.offset() >= ends[message.partition()]:
            return None
        try:
            return self._codec.decode(value)
        except UndecodableRecord:
            return None
