"""Tenants change and orders flow while workers are killed: each decision is by the revision that the journal shows.

By default, one kill and few changes. With `-m long`, 1,000 changes at 500 orders/s and ten kills.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from processes.pipeline import Pipeline
from runtime.cluster import Cluster, Worker, until
from runtime.tenants import NEEDED, command, named, order, seeded, view
from runtime.timings import SHORT

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.risk import Decision
from tradewind.schemas.runtime import JournalEntry
from tradewind.schemas.signals import Signal
from tradewind.schemas.tenancy import Tenant, TenantCommand
from tradewind.streams.portfolio import sizing
from tradewind.streams.risk import risk
from tradewind.streams.runtime import Agent
from tradewind.streams.runtime.agent import dead_letter_topic, journal_topic
from tradewind.streams.tenancy import tenancy
from tradewind.topics import (
    DECISIONS,
    ORDER_REQUESTS,
    SIGNALS,
    TENANT_CHANGES,
    TENANT_COMMANDS,
    TENANT_REFUSALS,
    Topic,
)

NAMES = ("tenancy", "sizing", "risk")
TENANTS = 20
STEP_S = 0.1
CHANGES_A_STEP = 2
SIGNALS_A_STEP = 1  # each becomes an order of each active tenant: some 150 a second
ORDERS_A_STEP = 40  # and these, which come from elsewhere: 400 a second
BEFORE = 200
"""Orders that were there before the first worker started."""
ALL_S = 200.0
SYMBOLS = ("EURUSD", "XAUUSD", "GBPUSD", "USDJPY", "BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens."""

    kills: int
    changes: int
    """At least."""
    between_kills_s: float


ONE, MANY = Size(1, 40, 2.0), Size(10, 1_000, 5.0)


@dataclass(slots=True)
class Load:
    """Commands, signals and orders that come in steps until told to stop."""

    cluster: Cluster
    chance: random.Random
    revisions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(named, range(TENANTS)), 1))
    suspended: set[str] = field(default_factory=set)
    signals: int = 0
    orders: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def publish_before(self) -> None:
        """Publish tenants, and orders of theirs and of nobody, before there is a worker."""
        self.publish_orders(BEFORE)
        created = [command(name, "CREATE", 0, NEEDED) for name in self.revisions]
        self.cluster.publish(TENANT_COMMANDS, [*created, seeded(TENANTS)])

    def run(self) -> None:
        """Publish step after step, by the clock, until told to stop."""
        step, begun = 0, time.monotonic()
        while not self.stop.wait(max(0.0, begun + step * STEP_S - time.monotonic())):
            step += 1
            self.cluster.publish(TENANT_COMMANDS, [self.change() for _ in range(CHANGES_A_STEP)])
            views = [view(self.signals + n, symbol=self.chance.choice(SYMBOLS)) for n in range(SIGNALS_A_STEP)]
            self.cluster.publish(SIGNALS, views)
            self.signals += len(views)
            self.publish_orders(ORDERS_A_STEP)

    def publish_orders(self, count: int) -> None:
        """Publish orders of some sizes and instruments; one of forty is of a tenant that there never is."""
        asked = []
        for number in range(self.orders, self.orders + count):
            name = "nobody" if number % 40 == 7 else named(self.chance.randrange(TENANTS))
            asked.append(order(number, name, self.chance.randint(1, 9), symbol=self.chance.choice(SYMBOLS)))
        self.cluster.publish(ORDER_REQUESTS, asked)
        self.orders += count

    @property
    def changes(self) -> int:
        """How many changes were published."""
        return sum(self.revisions.values()) - TENANTS

    def change(self) -> TenantCommand:
        """Return the next change of some tenant: its limits, or whether it may trade."""
        name = self.chance.choice(sorted(self.revisions))
        revision = self.revisions[name]
        self.revisions[name] += 1
        if name in self.suspended:
            self.suspended.discard(name)
            return command(name, "RESUME", revision)
        if self.chance.random() < 0.2:
            self.suspended.add(name)
            return command(name, "SUSPEND", revision)
        # Another fraction each time: a command that changes nothing is refused.
        most = Decimal(self.chance.randint(1, 9) * 1_000) + Decimal(revision) / 1_000
        values = {"max_order_notional": str(most), "risk_per_trade": str(most / 100)}
        return command(name, "SET", revision, values)


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own, with the schemas of the registry."""
    own = Cluster(settings, tmp_path, open_codec(settings), SHORT)
    yield own
    own.close()


@pytest.mark.parametrize(
    ("size", "seed"),
    [
        pytest.param(ONE, 1),
        *(pytest.param(MANY, seed, marks=[pytest.mark.long, pytest.mark.timeout(900)]) for seed in (2, 3, 4)),
    ],
)
def test_every_decision_is_by_the_revision_that_the_journal_shows(
    cluster: Cluster, tmp_path: Path, size: Size, seed: int, evidence: Callable[[int, Mapping[str, int]], None]
) -> None:
    """From a first start against a full topic, over kills, to a replay that is equal."""
    agents = tenancy(cluster.settings), sizing(cluster.settings), risk(cluster.settings)
    cluster.create(*agents)
    chance = random.Random(seed)
    load = Load(cluster, chance)
    load.publish_before()
    workers = [start(cluster)]
    loading = threading.Thread(target=load.run)
    loading.start()
    try:
        for _ in range(size.kills):
            time.sleep(chance.uniform(0.5, 1.5) * size.between_kills_s)
            leaving = workers.pop(0)
            workers.append(cluster.start(*NAMES, program="tenants_worker.py"))
            leaving.kill()
            workers[-1].wait_ready()
        until(lambda: load.changes >= size.changes, f"{size.changes:,} changes", ALL_S)
    finally:
        load.stop.set()
        loading.join()
    until(lambda: all(map(cluster.caught_up, agents)), "all processed", ALL_S)
    assert [worker.stop() for worker in workers] == [0]

    assert cluster.read(TENANT_REFUSALS) == []
    assert not [letter for agent in agents for letter in cluster.read(dead_letter_topic(agent))]
    told = [event.to_dict() for event in cluster.read(TENANT_CHANGES) if isinstance(event, Tenant)]
    assert len(told) == TENANT_CHANGES.partitions * (load.changes + TENANTS)
    decisions, expected = decided(cluster), by_the_journal(cluster, agents[2])
    assert decisions == expected
    assert len(decisions) == load.orders + assert_sized(cluster, agents[1], load.signals)
    codes = Counter(code for found in decisions.values() for code in found)
    assert set(codes) == {"UNKNOWN_TENANT", "TENANT_SUSPENDED", "MAX_ORDER_SIZE"}
    assert () in decisions.values(), "some are approved"

    pipeline = Pipeline(cluster.settings, tmp_path)
    with ThreadPoolExecutor() as pool:
        verified = [pool.submit(pipeline.run, "replay", "--verify", name, "--json") for name in ("risk", "sizing")]
        assert [json.loads(each.result())["equal"] for each in verified] == [True, True]
    evidence(seed, {"kills": size.kills, "changes": load.changes, "decisions": len(decisions), "signals": load.signals})


def start(cluster: Cluster) -> Worker:
    """Start a worker of all three agents, and wait until it works."""
    worker = cluster.start(*NAMES, program="tenants_worker.py")
    worker.wait_ready()
    return worker


def decided(cluster: Cluster) -> dict[str, tuple[str, ...]]:
    """Return the codes against each order; fails where one was decided more than once."""
    found = [event for event in cluster.read(DECISIONS) if isinstance(event, Decision)]
    codes: dict[str, tuple[str, ...]] = {one.order_id: tuple(sorted(one.codes)) for one in found}
    assert len(codes) == len(found)
    return codes


def by_the_journal(cluster: Cluster, agent: Agent) -> dict[str, tuple[str, ...]]:
    """Return the codes that each order must have by what came before it in the journal: tenants, and orders."""
    found: dict[str, tuple[str, ...]] = {}
    held: Counter[tuple[str | None, str, str]] = Counter()
    """Units by tenant, instrument and deployment; all are of one account, and nothing fills or ends."""
    for known, event in told(cluster, agent, ORDER_REQUESTS):
        assert isinstance(event, OrderRequest)
        owner = event.tenant_id, event.symbol
        account = sum(units for key, units in held.items() if key[:2] == owner)
        change = ordered(event, held[*owner, event.deployment])
        codes = tuple(sorted(against(event, change, account, known.get(event.tenant_id or ""))))
        found[event.order_id] = codes
        if not codes:
            held[*owner, event.deployment] += change
    return found


def ordered(asked: OrderRequest, held: Decimal | int) -> Decimal:
    """Return what is bought, or sold if negative, in whole lots; written apart from what is tested."""
    change = asked.units - held if asked.mode == "TARGET" else asked.units
    lots = change // asked.lot_size * asked.lot_size  # towards zero
    return lots if abs(lots) >= asked.min_quantity else Decimal(0)


def against(asked: OrderRequest, change: Decimal, account: Decimal | int, tenant: Tenant | None) -> Iterator[str]:
    """Yield why an order is denied by a revision; written apart from what is tested."""
    if tenant is None:
        yield "UNKNOWN_TENANT"
        return
    if not change:
        return  # the target is met, so there is no order to deny
    if tenant.status == "SUSPENDED":
        yield "TENANT_SUSPENDED"
    # Everybody buys, so that a sale is always of what a deployment holds, and opens nothing.
    assert change >= 0 or account + change >= 0
    if change > 0 and change * asked.quote_ask > tenant.max_order_notional:
        yield "MAX_ORDER_SIZE"


def assert_sized(cluster: Cluster, agent: Agent, signals: int) -> int:
    """Fail unless each signal became an order of each tenant that was active, as large as its risk; return how many."""
    made = {
        (event.signal_id, event.tenant_id): event.units
        for event in cluster.read(ORDER_REQUESTS)
        if isinstance(event, OrderRequest) and event.signal_id != "s"
    }
    expected, seen = set(), 0
    for known, event in told(cluster, agent, SIGNALS):
        assert isinstance(event, Signal)
        seen += 1
        for name, tenant in known.items():
            if tenant.status == "ACTIVE":
                expected.add((event.event_id, name))
                # A lot of each instrument is small beside this quantity.
                wanted = tenant.risk_per_trade / (Decimal(str(event.volatility)) * Decimal(str(event.quote_ask)))
                assert wanted - 1000 < made[event.event_id, name] <= wanted
    assert seen == signals
    assert made.keys() == expected
    return len(made)


def told(cluster: Cluster, agent: Agent, topic: Topic) -> Iterator[tuple[dict[str, Tenant], Event]]:
    """Yield each record of an input in the order of the journal, with the tenants that came before it."""
    inputs = {name.name: logged(cluster, name) for name in (topic, TENANT_CHANGES)}
    for partition, entries in enumerate(journaled(cluster, agent)):
        known: dict[str, Tenant] = {}
        for entry in entries:
            for each in entry.ranges:
                of: Any = inputs.get(str(each["topic"]), {}).get(partition, {})
                for offset in range(int(each["first"]), int(each["next"])):
                    event = of.get(offset)
                    if isinstance(event, Tenant):
                        assert (
                            event.revision == (known[event.tenant_id].revision if event.tenant_id in known else 0) + 1
                        )
                        known[event.tenant_id] = event
                    elif isinstance(event, topic.model):
                        yield known, event


def journaled(cluster: Cluster, agent: Agent) -> list[list[JournalEntry]]:
    """Return the entries of each task, in order; fails where a number is missing or comes again."""
    found = [
        [event for _, event in sorted(of.items()) if isinstance(event, JournalEntry)]
        for _, of in sorted(logged(cluster, journal_topic(agent)).items())
    ]
    assert all([entry.sequence for entry in of] == list(range(len(of))) for of in found)
    return found


def logged(cluster: Cluster, topic: Topic) -> dict[int, dict[int, Event]]:
    """Return the committed events of a topic by partition and offset."""
    found: dict[int, dict[int, Event]] = {partition: {} for partition in range(topic.partitions)}
    for batch in raw_records(cluster.settings, cluster.settings.physical(topic), range(topic.partitions), "earliest"):
        for record in batch:
            found[record.partition() or 0][record.offset() or 0] = cluster.codec.decode(record.value() or b"")
    return found
