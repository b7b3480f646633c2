"""Orders, fills and positions in PostgreSQL: rows and offsets together, once, by one owner at a time."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from confluent_kafka.admin import AdminClient
from processes.pipeline import environment
from sinks.running import START, TERMINATE, Cable, Publisher, envelope, fill, position, running, until

from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.postgres.domains import DOMAINS
from tradewind.connectors.postgres.migrations import MigrationError, migrate
from tradewind.connectors.postgres.table import Domain, Migration
from tradewind.connectors.settings import PostgresSettings, Settings
from tradewind.connectors.sinks import Batch, OwnerFenced, PoisonBatch, StoreUnavailable
from tradewind.connectors.sinks.postgres import PostgresSink
from tradewind.processors.batch import Columns
from tradewind.schemas.codec import Codec
from tradewind.schemas.execution import CancelOrder, Fill, OrderEvent, OrderRequest
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.risk import Decision
from tradewind.topics import DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, POSITIONS

ONE, TWO = Migration("one", "CREATE TABLE one (id int)"), Migration("two", "CREATE TABLE two (id int)")
CANCELS = frozenset(of.name for of in fields(CancelOrder)) - {"reason"}
TOPICS = (ORDER_REQUESTS, DECISIONS, ORDER_EVENTS, FILLS, POSITIONS)


class FaultySink(PostgresSink):
    """Cannot write the fill of sequence 40."""

    async def write(self, batch: Batch) -> None:
        """Write, where it is not among them."""
        if len(batch) and 40 in batch.frame["quote_seq"]:
            raise PoisonBatch("sequence 40")
        await super().write(batch)


@pytest.fixture
async def migrated(settings: Settings, database: PostgresSettings) -> Settings:
    """Give settings whose database has the tables."""
    await asyncio.to_thread(migrate, settings)
    return settings


@pytest.fixture
def publisher(migrated: Settings) -> Publisher:
    """Give topics to publish to."""
    return Publisher(migrated, TOPICS)


def query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query, from any thread."""

    async def work() -> list[tuple[Any, ...]]:
        connection = await connect(settings)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(work())


def count(settings: Settings, table: str = "fills") -> int:
    """Return the rows of a table."""
    return int(query(settings, f"SELECT count(*) FROM {table}")[0][0])


def order(**changes: Any) -> dict[str, Any]:
    """Make the fields that requests and decisions share."""
    values = envelope("order", 1) | {
        "order_id": "o",
        "account_id": "main",
        "deployment": "ema",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "order_type": "LIMIT",
        "time_in_force": "GTD",
        "expire_ts": START + 1,
        "strategy": "ema",
        "signal_id": "s",
        "quote_bid": Decimal("1.4"),
        "quote_ask": Decimal("1.6"),
        "quote_ts": START - 1,
    }
    return {**values, **changes}


class TestRows:
    """What lies in the tables."""

    async def test_every_event_arrives_as_it_was(self, migrated: Settings, publisher: Publisher) -> None:
        """Amounts to the last digit, times to the µs, texts with whatever is in them; no heartbeats and no cancels."""
        await asyncio.to_thread(self._every_event, migrated, publisher)

    def _every_event(self, settings: Settings, publisher: Publisher) -> None:
        beat = Heartbeat(symbol="EURUSD", venue="OANDA", ts_event=1, ts_ingest=1)
        market = {"order_type": "MARKET", "time_in_force": "DAY", "expire_ts": None}
        least = Decimal("0.0000000001")
        target = {"mode": "TARGET", "units": -least, "lot_size": least, "min_quantity": least}
        limits = {"buy_limit": Decimal("1.5"), "sell_limit": Decimal("1.6")}
        decided = {"side": "SELL", "quantity": least}
        odd = 'a"b,c\n\\N\\. é😀'
        cancel = CancelOrder(**{name: order()[name] for name in CANCELS}, reason="by hand")
        publisher.publish(ORDER_REQUESTS, [beat, cancel, OrderRequest(**order(**target, **limits))])
        publisher.publish(ORDER_REQUESTS, [OrderRequest(**order(event_id="2", **market, **target))])
        publisher.publish(
            DECISIONS,
            [
                beat,
                cancel,
                Decision(
                    **order(**decided, limit_price=Decimal("1.6")),
                    outcome="DENIED",
                    codes=("STALE_PRICE", "KILL_SWITCH"),
                    reason=odd,
                ),
            ],
        )
        approved = order(event_id="2", **market, **decided)
        publisher.publish(DECISIONS, [Decision(**approved, outcome="APPROVED", codes=(), reason="")])
        event = {
            "order_id": "o",
            "account_id": "main",
            "symbol": "EURUSD",
            "venue": "OANDA",
            "sequence": 3,
            "reason": odd,
        }
        publisher.publish(
            ORDER_EVENTS, [OrderEvent(**envelope(1), **event, status="FILLED", filled_quantity=Decimal("0.5"))]
        )
        most, price = Decimal("9999999999999999999999999998.9999999999"), Decimal("9999999999999.0123456789")
        publisher.publish(FILLS, [fill(1, quantity=most, price=price)])
        publisher.publish(POSITIONS, [position(1, realised_pnl=most.copy_negate())])
        with running(settings, PostgresSink(settings), publisher.codec) as loop:
            until(lambda: loop.counters.written == 7, "all events are written")
        request = query(settings, "SELECT units, sell_limit, expire_ts, quote_ts FROM order_requests ORDER BY event_id")
        assert request[0] == (-least, None, None, request[1][3])
        assert request[1][:2] == (-least, Decimal("1.6"))
        assert [time.isoformat() for time in request[1][2:]] == [
            "2014-05-01T00:00:00.000001+00:00",
            "2014-04-30T23:59:59.999999+00:00",
        ]
        decisions = query(settings, "SELECT codes, reason FROM decisions ORDER BY event_id")
        assert decisions == [([], ""), (["STALE_PRICE", "KILL_SWITCH"], odd)]
        assert query(settings, "SELECT sequence, filled_quantity, reason FROM order_events") == [
            (3, Decimal("0.5"), odd)
        ]
        assert query(settings, "SELECT quantity, price FROM fills") == [(most, price)]
        assert query(settings, "SELECT realised_pnl FROM positions") == [(most.copy_negate(),)]
        assert loop.counters.undecodable == loop.counters.poison == 0

    async def test_the_newest_version_of_a_position_wins(self, migrated: Settings, publisher: Publisher) -> None:
        """Versions may come more than once, and old ones after new ones: the row is the newest."""
        await asyncio.to_thread(self._newest_version, migrated, publisher)

    def _newest_version(self, settings: Settings, publisher: Publisher) -> None:
        versions = [1, 2, 5, 3, 5, 4]
        with running(settings, PostgresSink(settings), publisher.codec) as loop:
            publisher.publish(POSITIONS, [position(version) for version in versions], partition=0)
            until(lambda: loop.counters.written == 6, "all versions are written")
            publisher.publish(POSITIONS, [position(4), position(2, symbol="XAUUSD")], partition=0)
            until(lambda: loop.counters.written == 8, "the late ones too")
        rows = query(settings, "SELECT symbol, version, quantity FROM positions ORDER BY symbol")
        assert rows == [("EURUSD", 5, Decimal(5)), ("XAUUSD", 2, Decimal(2))]

    async def test_a_row_that_postgres_refuses_is_a_dead_letter(self, migrated: Settings, publisher: Publisher) -> None:
        """Zero bytes, no tenant, no quantity, times of no calendar: dead letters. The others are written, once."""
        await asyncio.to_thread(self._refused, migrated, publisher)

    def _refused(self, settings: Settings, publisher: Publisher) -> None:
        fills = [fill(number % 400) for number in range(500)]
        fills[7] = fill(1007, strategy="a\x00b")
        fills[300] = fill(1300, tenant_id=None)
        fills[301] = fill(1301, ts_event=2**62)
        fills[302] = fill(1302, quantity=Decimal(0))
        fills[303] = fill(1303, price=Decimal(-37))
        publisher.publish(FILLS, fills, partition=0)
        with running(settings, PostgresSink(settings), publisher.codec) as loop:
            until(lambda: loop.counters.poison == 5, "the bad events are found")
            until(lambda: loop.counters.written == 495, "all others are written")
        assert count(settings) == len(
            {one.event_id for one in fills} - {fills[at].event_id for at in (7, 300, 301, 302, 303)}
        )
        offset = query(
            settings, f"SELECT next_offset FROM sink_positions WHERE topic = '{FILLS.name}' AND partition = 0"
        )
        assert offset == [(500,)]

    async def test_set_back_it_writes_what_it_had_refused_and_leaves_the_rest_as_it_is(
        self, migrated: Settings, publisher: Publisher
    ) -> None:
        """What docs/dead-letters.md says to do about a sink's dead letters once the sink is repaired."""
        await asyncio.to_thread(self._set_back, migrated, publisher)

    def _set_back(self, settings: Settings, publisher: Publisher) -> None:
        publisher.publish(FILLS, [fill(number) for number in range(100)], partition=2)
        with running(settings, FaultySink(settings), publisher.codec) as loop:
            until(lambda: loop.counters.poison == 1, "one is refused")
            until(lambda: loop.counters.written == 99, "all others are written")
        before = query(settings, "SELECT * FROM fills ORDER BY event_id")
        query(
            settings,
            f"UPDATE sink_positions SET next_offset = 40 WHERE topic = '{FILLS.name}' AND partition = 2 RETURNING 1",
        )
        with running(settings, PostgresSink(settings), publisher.codec) as loop:
            until(lambda: loop.counters.written == 60, "it has read again what follows")
        after = query(settings, "SELECT * FROM fills ORDER BY event_id")
        assert len(after) == 100
        assert set(before) < set(after)


class TestExactlyOnce:
    """Rows and offsets are there together or not at all."""

    async def test_killed_anywhere_it_loses_and_doubles_nothing(self, migrated: Settings, publisher: Publisher) -> None:
        """A kill -9 at any point leaves each fill there once, and the offsets say what the rows say."""
        await asyncio.to_thread(self._killed, migrated, publisher)

    def _killed(self, settings: Settings, publisher: Publisher) -> None:
        rng = random.Random(3)
        sent = 0
        for last in (False, False, True):
            publisher.publish(FILLS, [fill(number) for number in range(sent, sent + 8_000)])
            command = [sys.executable, "-m", "tradewind.infra.cli", "sink", "postgres"]
            process = subprocess.Popen(command, env=environment(settings), stderr=subprocess.DEVNULL)
            enough = 8_000 if last else rng.randrange(1, 8_000)
            try:
                until(lambda: count(settings) >= sent + enough, "fills are written", 120)  # noqa: B023
                self._offsets_say_what_the_rows_say(settings)
                sent += 8_000
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(30)
        assert count(settings) == sent

    def _offsets_say_what_the_rows_say(self, settings: Settings) -> None:
        offsets = f"SELECT sum(next_offset) FROM sink_positions WHERE topic = '{FILLS.name}'"
        rows, offset = query(settings, f"SELECT (SELECT count(*) FROM fills), ({offsets})")[0]
        assert rows == offset

    async def test_an_owner_from_before_is_fenced(self, migrated: Settings, publisher: Publisher) -> None:
        """Once another process has claimed a partition, a write under the old epoch changes neither rows nor offset."""
        old, new = PostgresSink(migrated), PostgresSink(migrated)
        await old.open()
        await new.open()
        origin = (FILLS.name, 0)
        before = (await old.claim([origin]))[origin]
        await old.write(batch([fill(1)], 10, before.epoch))
        after = (await new.claim([origin]))[origin]
        assert (after.next_offset, after.epoch) == (10, before.epoch + 1)
        with pytest.raises(OwnerFenced):
            await old.write(batch([fill(2)], 20, before.epoch))
        with pytest.raises(OwnerFenced):
            await old.write(batch([], 20, before.epoch))
        await new.write(batch([fill(1), fill(3)], 30, after.epoch))
        assert await asyncio.to_thread(count, migrated) == 2
        await old.close()
        await new.close()

    async def test_a_topic_that_was_created_anew_is_read_from_its_start(
        self, migrated: Settings, publisher: Publisher
    ) -> None:
        """Offsets in the database are of the topic that was, whose name another one has now."""
        await asyncio.to_thread(self._created_anew, migrated, publisher)

    def _created_anew(self, settings: Settings, publisher: Publisher) -> None:
        publisher.publish(FILLS, [fill(number) for number in range(100)], partition=0)
        with running(settings, PostgresSink(settings), publisher.codec):
            until(lambda: count(settings) == 100, "the old topic is written")
        client = AdminClient(settings.librdkafka())
        for future in client.delete_topics([settings.physical(FILLS)]).values():
            future.result()
        until(lambda: settings.physical(FILLS) not in client.list_topics(timeout=30).topics, "the topic is gone")
        again = Publisher(settings, TOPICS)
        again.publish(FILLS, [fill(number) for number in range(90, 350)], partition=0)
        with running(settings, PostgresSink(settings), publisher.codec):
            until(lambda: count(settings) == 350, "the new topic is written whole")

    async def test_a_store_that_goes_away_gets_everything_when_it_is_back(
        self, migrated: Settings, publisher: Publisher
    ) -> None:
        """Connections cut in the midst of writing lose and double nothing, and the sink goes on by itself."""
        await asyncio.to_thread(self._away, migrated, publisher)

    def _away(self, settings: Settings, publisher: Publisher) -> None:
        cable, cut = Cable.through(settings)
        with running(settings, PostgresSink(cut), publisher.codec) as loop:
            for number in range(4):
                publisher.publish(FILLS, [fill(one) for one in range(number * 2000, number * 2000 + 2000)])
                if number:
                    cable.cut()
                    until(lambda: loop.counters.retries >= number * 2, "the sink notices")  # noqa: B023
                    cable.mend()
            until(lambda: count(settings) == 8000, "all fills are there")
        assert loop.counters.dropped == 0
        self._offsets_say_what_the_rows_say(settings)

    async def test_a_connection_that_the_server_ended_is_opened_anew(
        self, migrated: Settings, database: PostgresSettings
    ) -> None:
        """The server's farewell is read before the end of the connection: the batch is tried again, and written."""
        sink = PostgresSink(Cable.through(migrated, tells_ends=False)[1])
        await sink.open()
        claim = (await sink.claim([(FILLS.name, 0)]))[FILLS.name, 0]
        await asyncio.to_thread(query, migrated, TERMINATE)
        await asyncio.sleep(0.2)
        with pytest.raises(StoreUnavailable):
            await sink.write(batch([fill(1)], 1, claim.epoch))
        await sink.write(batch([fill(1)], 1, claim.epoch))
        assert await asyncio.to_thread(count, migrated) == 1
        await sink.close()

    async def test_a_wrong_column_is_a_poison_and_not_a_stop(
        self, migrated: Settings, database: PostgresSettings
    ) -> None:
        """A value that no cast fits is named by its line."""
        sink = PostgresSink(migrated)
        await sink.open()
        claim = (await sink.claim([(FILLS.name, 0)]))[FILLS.name, 0]
        with pytest.raises(PoisonBatch) as refused:
            await sink.write(batch([fill(1), fill(2), fill(3, tenant_id=None)], 3, claim.epoch))
        assert refused.value.index == 2
        await sink.close()


def batch(events: list[Fill], next_offset: int, epoch: int) -> Batch:
    """Make a batch of fills, as the loop would."""
    if not events:
        return Batch(FILLS, 0, None, next_offset, epoch)
    codec = Codec({Fill.SCHEMA: 1}, lambda _: "")
    frame = pl.DataFrame([codec.decode(codec.encode(event)).to_dict() for event in events], infer_schema_length=None)
    numbers = np.arange(len(events))
    return Batch(FILLS, 0, Columns(FILLS.name, 0, Fill, frame, numbers, numbers), next_offset, epoch)


class TestMigrations:
    """The tables come into being once, and are as the domains say."""

    async def test_migrating_again_changes_nothing(self, settings: Settings, database: PostgresSettings) -> None:
        """The first run applies every migration, the next none; many at once do not disturb each other."""
        names = [f"{domain.name}: {migration.name}" for domain in DOMAINS for migration in domain.migrations]
        results = await asyncio.gather(*(asyncio.to_thread(migrate, settings) for _ in range(4)))
        assert sorted(results) == [[], [], [], names]
        assert await asyncio.to_thread(migrate, settings) == []

    async def test_a_namespace_has_tables_of_its_own(self, settings: Settings, database: PostgresSettings) -> None:
        """Two namespaces in one database share nothing; no namespace is the schema `public`."""
        other = settings.model_copy(update={"namespace": ""})
        assert await asyncio.to_thread(migrate, settings)
        assert await asyncio.to_thread(migrate, other)
        schemas = await asyncio.to_thread(
            query, other, "SELECT schemaname FROM pg_tables WHERE tablename = 'fills' ORDER BY schemaname = 'public'"
        )
        assert schemas == [(settings.namespace.rstrip("."),), ("public",)]

    async def test_only_the_given_domains_are_migrated(self, settings: Settings, database: PostgresSettings) -> None:
        """A domain that comes later finds its numbers free, and a domain that is left out stays as it is."""
        assert await asyncio.to_thread(migrate, settings, [_domain("a", ONE)]) == ["a: one"]
        assert await asyncio.to_thread(migrate, settings, [_domain("b", TWO)]) == ["b: two"]
        assert await asyncio.to_thread(migrate, settings, [_domain("a", ONE), _domain("b", TWO)]) == []

    async def test_an_edited_migration_is_refused(self, settings: Settings, database: PostgresSettings) -> None:
        """What was applied and then edited is named, and nothing is changed, of no domain."""
        assert await asyncio.to_thread(migrate, settings, [_domain("a", ONE)]) == ["a: one"]
        edited = Migration("one", "CREATE TABLE one (id bigint)")
        with pytest.raises(MigrationError, match=r"migration 1 \(one\) of domain a was edited"):
            await asyncio.to_thread(migrate, settings, [_domain("b", TWO), _domain("a", edited)])
        assert await asyncio.to_thread(query, settings, "SELECT to_regclass('two')") == [(None,)]

    async def test_a_migration_that_fails_leaves_nothing(self, settings: Settings, database: PostgresSettings) -> None:
        """Half a migration is not applied, and the error names it."""
        half = Migration("half", f"{ONE.sql}; {ONE.sql}")
        with pytest.raises(MigrationError, match=r"migration 1 \(half\) of domain a failed"):
            await asyncio.to_thread(migrate, settings, [_domain("a", half)])
        assert await asyncio.to_thread(query, settings, "SELECT to_regclass('one')") == [(None,)]

    async def test_a_newer_database_is_refused(self, settings: Settings, database: PostgresSettings) -> None:
        """An old program does not touch what a newer one has made."""
        await asyncio.to_thread(migrate, settings, [_domain("a", ONE, TWO)])
        with pytest.raises(MigrationError, match="migration 2 of domain a, which this Tradewind does not know"):
            await asyncio.to_thread(migrate, settings, [_domain("a", ONE)])

    async def test_tables_of_before_domains_are_refused(self, settings: Settings, database: PostgresSettings) -> None:
        """The message says that nothing was changed, and what to do."""
        await asyncio.to_thread(migrate, settings, [])
        await asyncio.to_thread(query, settings, "ALTER TABLE schema_migrations DROP COLUMN domain")
        with pytest.raises(MigrationError, match="made by an earlier Tradewind"):
            await asyncio.to_thread(migrate, settings)
        assert await asyncio.to_thread(query, settings, "SELECT to_regclass('fills')") == [(None,)]


def _domain(name: str, *migrations: Migration) -> Domain:
    return Domain(name, migrations=migrations)
