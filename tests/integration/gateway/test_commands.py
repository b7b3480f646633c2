"""An emergency stop is on Kafka and in PostgreSQL once, with its audit event, whoever gives it again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.cluster.switch_store import kept_switches
from tradewind.connectors.gateway.auth.roles import Role, Who
from tradewind.connectors.gateway.commands.asked import Answer, Asked, Caller
from tradewind.connectors.gateway.commands.audit import AuditLog
from tradewind.connectors.gateway.commands.frame import Commands
from tradewind.connectors.gateway.commands.ledger import Ledger
from tradewind.connectors.gateway.commands.stop import EmergencyStop, Stop
from tradewind.connectors.gateway.commands.writer import Writer
from tradewind.connectors.gateway.cursors import Cursor
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.kafka import consume
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.postgres.migrations import migrate
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import KafkaSettings, PostgresSettings, Settings
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.tenancy import AuditEvent
from tradewind.topics import AUDIT, KILL_SWITCHES, TENANTS

STOP = Stop(reason="too fast")


@dataclass
class Process:
    """One gateway's commands."""

    commands: Commands
    stop: EmergencyStop

    async def give(self, key: str, body: Stop = STOP, role: Role = "owner", tenant: str | None = "alpha") -> Answer:
        """Give a command."""
        return await self.commands.carry_out(asked(key, body, role, tenant), partial(self.stop.decide, body))


def asked(key: str, body: Stop, role: Role, tenant: str | None) -> Asked:
    """Return the command of a user."""
    caller = Caller(Who("u1", role, tenant, "s1", 0), "POST system/emergency-stop", key, "127.0.0.1")
    return Asked(caller, body.model_dump_json().encode())


def process(settings: Settings) -> Process:
    """Return one that asks the services of some settings."""
    codec = open_codec(settings)
    commands = Commands(Ledger(settings, clock_us), Writer(settings, codec), AuditLog(settings, codec))
    return Process(commands, EmergencyStop.on(settings, codec))


@pytest.fixture
async def processes(settings: Settings, database: PostgresSettings) -> AsyncIterator[tuple[Process, Process]]:
    """Give two of them."""
    await asyncio.to_thread(migrate, settings)
    await asyncio.to_thread(ensure, settings, (KILL_SWITCHES, AUDIT, TENANTS))
    made = process(settings), process(settings)
    yield made
    await asyncio.gather(*(one.commands.close() for one in made))


async def test_a_stop_is_written_once_and_kept_whoever_gives_it_again(
    processes: tuple[Process, Process], settings: Settings
) -> None:
    """At the same time, after the answer was lost, and by a new body."""
    one, other = processes
    answers = await asyncio.gather(one.give("k"), other.give("k"), one.give("k"))
    assert answers[0] == answers[1] == answers[2]
    connection = await connect(settings)
    await connection.execute("UPDATE commands SET status = NULL, answer = NULL")  # killed before it could answer
    assert await other.give("k") == answers[0]
    with pytest.raises(Problem) as refused:
        await one.give("k", Stop(reason="another"))
    assert (refused.value.status, refused.value.code) == (422, "KEY_REUSED")
    written = await asyncio.to_thread(lambda: list(consume(KILL_SWITCHES, settings=settings)))
    assert sorted(record.partition for record in written) == list(range(KILL_SWITCHES.partitions))
    switch = written[0].event
    assert isinstance(switch, KillSwitch)
    assert (switch.event_id, switch.tenant_id, switch.engaged) == (answers[0].body["id"], "alpha", True)
    kept = await asyncio.to_thread(kept_switches, settings)
    assert {one.command for one in kept} == {switch}
    assert len(kept) == KILL_SWITCHES.partitions

    with pytest.raises(Problem) as refused:
        await other.give("2", Stop(reason="r", account="mian"))
    caller = asked("2", STOP, "owner", "alpha").caller
    await other.commands.refused(caller, refused.value)
    assert (await other.give("3", Stop(reason="calm", lift=True))).body["stopped"] is False
    assert (await one.give("4", Stop(reason="r", tenant="beta"), "operator", None)).status == 200
    with pytest.raises(Problem) as refused:
        await one.give("5", Stop(reason="r", lift=True), "owner", "beta")
    assert refused.value.code == "STOPPED_BY_PLATFORM"
    audited = [record.event for record in await asyncio.to_thread(lambda: list(consume(AUDIT, settings=settings)))]
    assert Counter((one.outcome, one.code, one.tenant_id) for one in audited if isinstance(one, AuditEvent)) == {
        ("CHANGED", "", "alpha"): 2,
        ("CHANGED", "", "beta"): 1,
        ("REFUSED", "UNKNOWN_ACCOUNT", "alpha"): 1,
    }
    rows = await connection.fetch("SELECT tenant_id, status FROM commands ORDER BY begun_at")
    assert [(row["tenant_id"], row["status"]) for row in rows] == [("alpha", 200), ("alpha", 200), (None, 200)]
    await connection.close()


async def test_while_a_service_is_away_a_command_says_which_and_what_to_do(
    processes: tuple[Process, Process], settings: Settings
) -> None:
    """And leaves nothing behind that a repeat would not find."""
    no_kafka = settings.model_copy(update={"kafka": KafkaSettings(bootstrap="127.0.0.1:1", answer_s=0.2)})
    no_store = settings.model_copy(update={"postgres": PostgresSettings(url="postgresql://127.0.0.1:1/x")})
    codec = open_codec(settings)
    for away, code in ((no_kafka, "KAFKA_AWAY"), (no_store, "STORE_AWAY")):
        commands = Commands(Ledger(away, clock_us), Writer(away, codec), AuditLog(away, codec))
        with pytest.raises(Problem) as refused:
            await Process(commands, EmergencyStop.on(away, codec)).give("k")
        assert (refused.value.status, refused.value.code) == (503, code)
        assert "Idempotency-Key" in refused.value.remedy
        await commands.close()
    assert (await processes[0].give("k")).status == 200


async def test_a_tenant_reads_what_concerns_it_with_names_and_what_changed(
    settings: Settings, database: PostgresSettings
) -> None:
    """Newest first, page by page; operators read all."""
    await asyncio.to_thread(migrate, settings)
    connection = await connect(settings)
    await connection.execute("INSERT INTO users (user_id, name, role) VALUES ('u1', 'ada', 'owner')")
    at = datetime(2026, 1, 2, tzinfo=UTC)
    for number, tenant in enumerate(("alpha", "beta", None, "alpha")):
        await connection.execute(
            "INSERT INTO audit_events VALUES ($1, $2, $3, $3, 'c', 'c', 'u1', 'owner', 's', '::1', 'POST x', 'k', "
            "'CHANGED', '', 'stopped', 'x', NULL, '{\"stopped\": true}')",
            *(f"e{number}", tenant, at),
        )
    await connection.close()
    reads = Reads(settings)
    page = await reads.audit("alpha", Cursor(), 1)
    rest = await reads.audit("alpha", Cursor(page.next), 1)
    assert [row["event_id"] for row in (*page.rows, *rest.rows)] == ["e3", "e0"]
    assert (page.rows[0]["user_name"], page.rows[0]["before"], page.rows[0]["after"]) == (
        "ada", None, {"stopped": True},
    )  # fmt: skip
    assert rest.next is None
    assert len((await reads.audit(None, Cursor(), 10)).rows) == 4
    await reads.close()
