"""Tenants of a bench: agents that know them, each in a process of its own, commands that change them, and orders.

    python -m tradewind.infra.bench.parts.tenants ROLE NAME

runs the agent of a role under a name, so that it begins from nothing beside others of its role.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from threading import Event as Flag
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import Message

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import LINGER_MS, STOP_S, TIMEOUT_S, WARM_UP_S, sender, wait_for
from tradewind.infra.bench.parts.measured import GroupProgress, pace
from tradewind.infra.bench.parts.services import start
from tradewind.processors.identity import derive_id
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.runtime import JournalEntry
from tradewind.schemas.tenancy import Seeded, Tenant, TenantCommand
from tradewind.streams.agents import agents
from tradewind.streams.runtime import Agent, agent_topics, group_of, run_agents
from tradewind.streams.runtime.agent import journal_topic
from tradewind.topics import ORDER_REQUESTS, TENANT_CHANGES, TENANT_COMMANDS, Topic

MODULE = "tradewind.infra.bench.parts.tenants"
ROLES = ("tenancy", "sizing", "risk")
READERS = ("sizing", "risk")
SYMBOLS = ("EURUSD", "XAUUSD", "BTCUSDT", "ETHUSDT", "GBPUSD", "USDJPY")
FILL_LINGER_MS = 50
US = 1_000_000
Place = tuple[str, int]
"""Agent and partition."""
Take = Callable[[Sequence[Message], int], None]
"""Takes records, and when they came, µs."""


def agent_of(role: str, name: str, settings: Settings) -> Agent:
    """Return the agent of a role under a name."""
    return replace(agents()[role].declare(settings), name=name)


def create(settings: Settings, *of: Agent) -> None:
    """Create the topics of agents."""
    topics = {topic.name: topic for agent in of for topic in (*agent.inputs, *agent.outputs, *agent_topics(agent))}
    ensure(settings, topics.values())


@contextmanager
def running(settings: Settings, names: Mapping[str, str]) -> Iterator[Callable[[], bool]]:
    """Run agents, given by name and role; gives what tells whether all still run."""
    environment = {**os.environ, "TRADEWIND_DATA": str(settings.data), "TRADEWIND_NAMESPACE": settings.namespace}
    workers = [
        start(settings, f"{settings.namespace}{name}", [sys.executable, "-P", "-m", MODULE, role, name], environment)
        for name, role in names.items()
    ]
    try:
        yield lambda: all(worker.poll() is None for worker in workers)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(STOP_S)


def load(settings: Settings, codec: Codec, count: int) -> None:
    """Create some tenants, and have the agent `tenancy` tell of them."""
    create(settings, *(agent_of(role, role, settings) for role in ROLES))
    now = clock_us()
    seeded = Seeded(event_id="s", ts_event=now, ts_ingest=now, correlation_id="s", causation_id="s", tenants=count)
    publish(settings, codec, TENANT_COMMANDS, [*(_create(named(number), now) for number in range(count)), seeded])
    with running(settings, {"tenancy": "tenancy"}) as alive:
        _wait_for_position(settings, "tenancy", TENANT_COMMANDS, count + 1, alive)


def publish(settings: Settings, codec: Codec, topic: Topic, events: Iterable[Event]) -> None:
    """Publish many events, none of a broadcast topic."""
    with sender(settings, topic, FILL_LINGER_MS) as send:
        for event in events:
            send(topic.key(event).encode(), codec.encode(event))


def orders_per_s(settings: Settings, name: str, count: int) -> float:
    """Return how many of `count` orders that wait a risk agent decides each second, from the first tenth on."""
    agent = agent_of("risk", name, settings)
    create(settings, agent)
    requests = settings.physical(ORDER_REQUESTS)
    with running(settings, {name: "risk"}) as alive, ExitStack() as stack:
        group = group_of(agent, settings)
        progress = stack.enter_context(GroupProgress(settings, group, requests, ORDER_REQUESTS.partitions))
        return pace(progress.records, count // 10, count, alive, TIMEOUT_S).per_s


def orders(count: int, tenants: int, first: int = 0) -> Iterator[OrderRequest]:
    """Yield orders of all tenants in turn; every second one is too large, so that half of them stay open."""
    for number in range(first, first + count):
        now = clock_us()
        yield OrderRequest(
            event_id=derive_id("bench", number),
            tenant_id=named(number * 7919 % tenants),  # a prime: the tenants of one instrument are not some of them
            ts_event=now,
            ts_ingest=now,
            correlation_id="bench",
            causation_id="bench",
            order_id=derive_id("bench-order", number),
            account_id="main",
            symbol=SYMBOLS[number % len(SYMBOLS)],
            venue="T",
            deployment="bench",
            mode="ADD",
            units=Decimal(9_000 if number % 2 else 1_000) * (1 if number % 4 < 2 else -1),
            lot_size=Decimal(1),
            min_quantity=Decimal(1),
            order_type="MARKET",
            time_in_force="DAY",
            strategy="bench",
            signal_id="bench",
            quote_bid=Decimal("0.9999"),
            quote_ask=Decimal("1.0001"),
            quote_ts=now,
        )


@dataclass(slots=True)
class InForce:
    """When changes were told, and when the tasks that read tenants had committed them."""

    settings: Settings
    codec: Codec
    revisions: dict[str, int]
    """Of each tenant."""
    sent_us: dict[str, int] = field(default_factory=dict)
    """Of each command, by its id."""
    told: dict[str, dict[int, int]] = field(default_factory=dict)
    """Command -> partition -> offset of its change."""
    read: dict[Place, list[tuple[int, int]]] = field(default_factory=dict)
    """Of each task: the next offset of the changes, and when a reader saw that committed, µs."""

    def take_changes(self, messages: Sequence[Message], _: int) -> None:
        """Note where changes lie."""
        for message in messages:
            event = self.codec.decode(message.value() or b"")
            if isinstance(event, Tenant):
                self.told.setdefault(event.causation_id, {})[message.partition() or 0] = message.offset() or 0

    def take_entries(self, messages: Sequence[Message], now_us: int) -> None:
        """Note which changes tasks have read."""
        for message in messages:
            event = self.codec.decode(message.value() or b"")
            if not isinstance(event, JournalEntry):
                continue
            for each in event.ranges:
                if each["topic"] == TENANT_CHANGES.name:
                    self.read.setdefault((event.agent, event.partition), []).append((int(each["next"]), now_us))

    def latencies_ms(self) -> list[float]:
        """Return of each change how long it took to be in force in all tasks, ms; of those that are."""
        places = [(agent, partition) for agent in READERS for partition in range(TENANT_CHANGES.partitions)]
        found = []
        for command, sent_us in self.sent_us.items():
            offsets = self.told.get(command, {})
            seen = [self._seen_us(place, offsets.get(place[1])) for place in places]
            if None not in seen:
                found.append((max(each for each in seen if each is not None) - sent_us) / 1000)
        return found

    def _seen_us(self, place: Place, offset: int | None) -> int | None:
        if offset is None:
            return None
        return next((now for next_, now in self.read.get(place, ()) if next_ > offset), None)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is asked of tenants while it is measured."""

    tenants: int
    rate: float
    """Changes a second."""
    seconds: float
    orders: int = 0
    """Orders a second that flow meanwhile."""


def change_in_force_ms(settings: Settings, codec: Codec, of: Changes) -> npt.NDArray[np.float64]:
    """Change tenants at a steady rate; return (n,) how long each took from the sender's clock to the last task, ms.

    A change is in force in a task when a reader of committed records sees the journal entry that has it.
    """
    revisions = {tenant.tenant_id: tenant.revision for tenant in _tenants(settings, codec)}
    found, done = InForce(settings, codec, revisions), Flag()
    with running(settings, {role: role for role in ROLES}) as alive, ExitStack() as stack:
        for role in READERS:
            _wait_for_position(settings, role, TENANT_CHANGES, of.tenants + 1, alive)
        topics: list[tuple[Topic, Take]] = [(TENANT_CHANGES, found.take_changes)]
        topics += [(journal_topic(agent_of(role, role, settings)), found.take_entries) for role in READERS]
        readers = [_follow(settings, topic, take, done) for topic, take in topics]
        stack.callback(done.set)
        _change(found, Changes(of.tenants, 1, 1), alive)
        wait_for(lambda: bool(found.latencies_ms()), "all agents to work")
        if of.orders:
            Thread(target=_flow, args=(settings, codec, of, done), daemon=True).start()
        _change(found, replace(of, seconds=WARM_UP_S), alive)
        found.sent_us.clear()
        count = _change(found, of, alive)
        wait_for(lambda: len(found.latencies_ms()) >= count, f"{count:,} changes to be in force")
        done.set()
        for reader in readers:
            reader.join()
    return np.array(found.latencies_ms())


def _change(found: InForce, of: Changes, alive: Callable[[], bool]) -> int:
    """Send changes of one tenant after the other, each once, with the revision that it has."""
    settings, codec, revisions = found.settings, found.codec, found.revisions
    names, count, begun = sorted(revisions), int(of.rate * of.seconds), time.monotonic()
    with sender(settings, TENANT_COMMANDS, LINGER_MS) as send:
        for number in range(count):
            time.sleep(max(0.0, begun + number / of.rate - time.monotonic()))
            name, now = names[number % len(names)], clock_us()
            command = tenant_command(name, "SET", revisions[name], {"max_order_notional": f"5000.{now % US:06}"}, now)
            revisions[name] += 1
            found.sent_us[command.event_id] = now
            send(name.encode(), codec.encode(command))
            if not alive():
                raise RuntimeError("an agent ended")
    return count


def _tenants(settings: Settings, codec: Codec) -> list[Tenant]:
    """Return the newest revision of each tenant."""
    found: dict[str, Tenant] = {}
    for batch in raw_records(settings, settings.physical(TENANT_CHANGES), [0], "earliest"):
        events = (codec.decode(message.value() or b"") for message in batch)
        found.update({event.tenant_id: event for event in events if isinstance(event, Tenant)})
    return list(found.values())


def _flow(settings: Settings, codec: Codec, of: Changes, done: Flag) -> None:
    first, number, begun = clock_us() // 1000, 0, time.monotonic()  # an order that comes again is not decided again
    with sender(settings, ORDER_REQUESTS, LINGER_MS) as send:
        while not done.is_set():
            time.sleep(max(0.0, begun + number / of.orders - time.monotonic()))
            for order in orders(1, of.tenants, first + number):
                send(ORDER_REQUESTS.key(order).encode(), codec.encode(order))
            number += 1


def _follow(settings: Settings, topic: Topic, take: Take, done: Flag) -> Thread:
    """Give what is committed to a topic from now on to a function, with the time at which it came, µs."""
    batches = raw_records(settings, settings.physical(topic), range(topic.partitions), "latest", follow=True)
    next(batches)  # it stands at the end now

    def follow() -> None:
        for batch in batches:
            take(batch, clock_us())
            if done.is_set():
                return

    thread = Thread(target=follow, daemon=True)
    thread.start()
    return thread


def _wait_for_position(settings: Settings, role: str, topic: Topic, offset: int, alive: Callable[[], bool]) -> None:
    """Wait until an agent has read all partitions of a topic up to an offset."""
    group = group_of(agent_of(role, role, settings), settings)
    with GroupProgress(settings, group, settings.physical(topic), topic.partitions) as progress:

        def there() -> bool:
            if not alive():
                raise RuntimeError(f"an agent ended before {role} had read {topic.name}")
            return progress.records() >= topic.partitions * offset

        wait_for(there, f"{role} to read {topic.name}")


def named(number: int) -> str:
    """Return the name of a tenant."""
    return f"t{number:05}"


def _create(tenant: str, now: int) -> TenantCommand:
    limits = {"max_order_notional": 5_000, "max_position_notional": 10**9, "orders_per_minute": 10**9}
    return tenant_command(tenant, "CREATE", 0, {"accounts": ["main"], "risk_per_trade": 20, **limits}, now)


def tenant_command(tenant: str, action: Any, revision: int, changes: Mapping[str, Any], now: int) -> TenantCommand:
    """Return a command of a bench."""
    event_id = derive_id("bench", tenant, action, revision)
    return TenantCommand(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=now,
        ts_ingest=now,
        correlation_id=event_id,
        causation_id=event_id,
        action=action,
        revision=revision,
        changes=tuple({"key": key, "value": json.dumps(value)} for key, value in changes.items()),
    )


def main() -> None:
    """Run an agent until told to stop."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    role, name = sys.argv[1:]
    settings = Settings()
    asyncio.run(run_agents([agent_of(role, name, settings)], settings, open_codec(settings, PATIENT_ATTEMPTS)))


if __name__ == "__main__":
    main()
