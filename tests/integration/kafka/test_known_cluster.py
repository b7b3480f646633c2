"""A cluster that is not the known one stops everything that would work on it, and no kill switch is lost with it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient, NewTopic
from conftest import delete_topics
from processes.forking import finished
from processes.pipeline import environment
from processing import request
from sinks.running import running, until

from tradewind.connectors.cluster import comparison
from tradewind.connectors.cluster import guard as cluster_guard
from tradewind.connectors.cluster.comparison import Comparison, compare
from tradewind.connectors.cluster.guard import Guard, guarded
from tradewind.connectors.cluster.identity import ClusterDiffers, Known
from tradewind.connectors.cluster.kept import keep_in_postgres, known_by_postgres
from tradewind.connectors.cluster.look import look
from tradewind.connectors.cluster.switch_store import kept_switches, restore_switches, topic_switches
from tradewind.connectors.cluster.switches import OnTopic, current, named, whose
from tradewind.connectors.cluster.timings import LookTimings
from tradewind.connectors.kafka import consume, publish
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.topic_ids import topic_ids
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import PostgresSettings, Settings
from tradewind.connectors.sinks.postgres import PostgresSink
from tradewind.infra.cli.events.topics import topics
from tradewind.infra.cli.processes.prepare import prepare
from tradewind.infra.cli.processes.worker import worker
from tradewind.infra.cli.trading.halt import halt
from tradewind.infra.status.standing import Halt, standing
from tradewind.processors.identity import derive_id
from tradewind.schemas.notifications import Alert
from tradewind.schemas.risk import Decision, KillSwitch
from tradewind.streams.risk import risk
from tradewind.streams.runtime import run_agents
from tradewind.streams.tenancy import tenancy
from tradewind.topics import ALERTS, DECISIONS, KILL_SWITCHES, ORDER_REQUESTS, SIGNALS, TICKS, Topic

SOON_S = 30.0
LOOK_EVERY_S = 0.2

pytestmark = pytest.mark.usefixtures("database")


async def run(settings: Settings, command: Command, *arguments: str) -> Result:
    """Run a command as another process would, with the settings of a test."""
    call = asyncio.to_thread(CliRunner().invoke, command, arguments, env=environment(settings))
    return await call


async def prepared(settings: Settings, *arguments: str) -> Result:
    """Run `prepare` to a success."""
    done = await run(settings, prepare, *arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def deleted(settings: Settings, topic: Topic) -> None:
    """Delete a topic as an admin would, and wait until no broker tells of it."""
    client, name = AdminClient(settings.librdkafka()), settings.physical(topic)
    client.delete_topics([name], operation_timeout=SOON_S)[name].result(SOON_S)
    until(lambda: name not in partition_counts(settings), f"{name} is gone")


def recreated(settings: Settings, topic: Topic) -> None:
    """Delete a topic and create it again, as it is declared."""
    deleted(settings, topic)
    client, name = AdminClient(settings.librdkafka()), settings.physical(topic)
    made = client.create_topics([NewTopic(name, topic.partitions, 1, config=topic.config())])
    made[name].result(SOON_S)
    until(lambda: name in partition_counts(settings), f"{name} is there")


def switch(tenant: str, at: int, *, engaged: bool = True) -> KillSwitch:
    """Make a command as a plain producer would."""
    event_id = derive_id("a test's switch", tenant, at)
    ids = {"event_id": event_id, "correlation_id": event_id, "causation_id": event_id}
    return KillSwitch(**ids, tenant_id=tenant, ts_event=at, ts_ingest=at, engaged=engaged, reason="must hold")


def kept_by_postgres(settings: Settings) -> list[KillSwitch]:
    """Return what holds by PostgreSQL alone, as if Kafka had lost everything."""
    return list(current(kept_switches(settings), OnTopic()).values())


async def test_kafka_tells_the_ids_that_its_admin_api_tells(settings: Settings) -> None:
    """A topic that does not exist is in neither; the counts are those of the cluster."""
    await prepared(settings)
    name = settings.physical(TICKS)
    seen = await asyncio.to_thread(look, settings, [name, settings.physical("none")])
    ids = await asyncio.to_thread(topic_ids, settings, [TICKS.name])
    told = ids[TICKS.name].replace("+", "-").replace("/", "_")  # librdkafka prints the other alphabet
    assert seen.found.topics == {name: told}
    assert seen.found.untold == frozenset()
    assert seen.partitions == {name: TICKS.partitions}
    assert seen.found.cluster_id


async def test_a_topic_that_was_created_again_stops_everything_until_a_person_accepts_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`prepare`, a worker, a sink, a feed and `topics apply`; a missing topic beside it is not created."""
    await prepared(settings)
    before = await asyncio.to_thread(known_by_postgres, settings)
    await asyncio.to_thread(recreated, settings, SIGNALS)
    for refused in await asyncio.gather(process(settings, "sink", "postgres"), process(settings, "feed", "simulator")):
        assert refused.returncode == 1
        assert f"{settings.physical(SIGNALS)} was deleted and created again" in refused.stderr

    await asyncio.to_thread(deleted, settings, ALERTS)

    def settled(asked: Settings, names: Collection[str], *_: LookTimings) -> Comparison:
        return compare(asked, names, LookTimings(settle_s=0.0))  # the broker has been up for long

    for module in (comparison, cluster_guard):
        monkeypatch.setattr(module, "compare", settled)
    there = await asyncio.to_thread(partition_counts, settings)
    for command, arguments in ((prepare, ()), (worker, ("risk",)), (topics, ("apply",))):
        done = await run(settings, command, *arguments)
        assert done.exit_code == 1, (command.name, done.output, done.exception)
        message = str(done.exception) if isinstance(done.exception, ClusterDiffers) else done.output
        assert f"{settings.physical(SIGNALS)} was deleted and created again" in message, (command.name, done.exception)
        assert f"{settings.physical(ALERTS)} (id {before.topics[settings.physical(ALERTS)]}) is missing" in message
    assert await asyncio.to_thread(partition_counts, settings) == there
    assert await asyncio.to_thread(known_by_postgres, settings) == before

    accepted = await prepared(settings, "--accept-cluster")
    assert f"accepted, and its data is lost: topic {settings.physical(SIGNALS)}" in accepted.output
    await prepared(settings)
    await asyncio.to_thread(_passes, settings)


async def process(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: some take the signals of their main thread."""
    return await asyncio.to_thread(finished, *arguments, environment=environment(settings), timeout_s=4 * SOON_S)


def _passes(settings: Settings) -> None:
    with guarded(settings, "a test"):
        pass


async def test_another_cluster_behind_the_same_address_is_refused(settings: Settings) -> None:
    """Whatever its topics are called: here it has the same ones, and PostgreSQL knew another id."""
    await prepared(settings)
    await asyncio.to_thread(_rename_known, settings)
    refused = await run(settings, prepare)
    assert isinstance(refused.exception, ClusterDiffers)
    assert "the cluster's id was another and is" in str(refused.exception)


def _rename_known(settings: Settings) -> None:
    keep_in_postgres(settings, Known("another", {}))


async def test_a_running_process_is_stopped_when_its_topic_is_created_again(settings: Settings) -> None:
    """Within two looks; it says so on `/ready`, and an alert is published."""
    await prepared(settings)
    told: list[float] = []

    def watched() -> list[str]:
        guard = Guard(settings, "a test", LookTimings(every_s=LOOK_EVERY_S))
        guard.check()
        assert guard.reasons() == []
        guard.start(lambda: told.append(time.monotonic()))
        recreated(settings, TICKS)
        until(lambda: bool(told), "the watch has seen it", SOON_S)
        guard.close()
        guard.alert()
        return guard.reasons()

    (reason,) = await asyncio.to_thread(watched)
    assert f"topic {settings.physical(TICKS)}" in reason
    alerts = await asyncio.to_thread(_events, settings, ALERTS)
    assert [alert.code for alert in alerts if isinstance(alert, Alert)] == ["CLUSTER_DIFFERS"]


def _events(settings: Settings, topic: Topic) -> list[Any]:
    return [record.event for record in consume(topic, settings=settings)]


async def test_a_kill_switch_outlives_its_topic_and_denies_the_first_order(settings: Settings) -> None:
    """`halt` keeps it in PostgreSQL; where its topic is lost, `prepare` publishes it again before any worker runs."""
    await prepared(settings)
    halted = await run(settings, halt, "beta", "--reason", "must hold")
    assert halted.exit_code == 0, (halted.output, halted.exception)
    assert "only Kafka" not in halted.output
    (kept,) = await asyncio.to_thread(kept_by_postgres, settings)
    assert (kept.tenant_id, kept.account_id, kept.engaged, kept.reason) == ("beta", None, True, "must hold")

    seen = await asyncio.to_thread(standing, settings)
    assert (seen.well, seen.halts) == (True, (Halt("beta", "must hold", in_force=True),))

    await asyncio.to_thread(recreated, settings, KILL_SWITCHES)
    seen = await asyncio.to_thread(standing, settings)
    assert "was deleted and created again" in seen.differences
    assert (seen.well, seen.lost) == (False, ("beta",))
    accepted = await prepared(settings, "--accept-cluster")
    assert "the kill switch of beta (must hold) was lost by Kafka and is engaged again" in accepted.output
    assert "engaged again" not in (await prepared(settings)).output
    asked = [request(number, tenant_id=tenant) for number, tenant in enumerate(("alpha", "beta"))]
    await asyncio.to_thread(publish, ORDER_REQUESTS, asked, settings)
    decisions = await _decided(settings, len(asked))
    assert {one.tenant_id: "KILL_SWITCH" in one.codes for one in decisions} == {"alpha": False, "beta": True}


async def _decided(settings: Settings, count: int) -> list[Decision]:
    """Run the risk agent until it has decided so often."""
    stop, codec = asyncio.Event(), await asyncio.to_thread(open_codec, settings)
    running_agent = asyncio.ensure_future(run_agents([tenancy(settings), risk(settings)], settings, codec, stop=stop))
    found: list[Decision] = []
    deadline = time.monotonic() + SOON_S
    while len(found) < count and time.monotonic() < deadline:
        found = [one for one in await asyncio.to_thread(_events, settings, DECISIONS) if isinstance(one, Decision)]
    stop.set()
    await running_agent
    return found


async def test_a_plain_producer_s_switch_is_kept_once_by_the_sink(settings: Settings) -> None:
    """The topic has it in every partition; a release that follows is kept as well."""
    await prepared(settings)
    await asyncio.to_thread(publish, KILL_SWITCHES, [switch("alpha", 1), switch("beta", 1)], settings)
    await asyncio.to_thread(publish, KILL_SWITCHES, [switch("alpha", 2, engaged=False)], settings)

    def kept() -> dict[str | None, bool]:
        return {one.tenant_id: one.engaged for one in kept_by_postgres(settings)}

    with running(settings, PostgresSink(settings), await asyncio.to_thread(open_codec, settings)):
        await asyncio.to_thread(until, lambda: kept() == {"alpha": False, "beta": True}, "the sink has kept them")


async def test_a_halt_with_an_earlier_time_or_a_repeated_id_outlives_its_topic(settings: Settings) -> None:
    """Its place on the topic decides, be it kept by `halt`, by the sink or by `prepare`."""
    await prepared(settings)
    again = switch("beta", 5)
    late = [again, switch("beta", 9, engaged=False), again, switch("alpha", 9, engaged=False), switch("alpha", 3)]
    await asyncio.to_thread(publish, KILL_SWITCHES, late, settings)
    # by hand: a lift is kept with its place before the sink has come to the records ahead of it
    assert (await run(settings, halt, "alpha", "--account", "main", "--lift")).exit_code == 0

    def kept() -> dict[str, bool]:
        return {named(whose(one)): one.engaged for one in kept_by_postgres(settings)}

    wanted = {"alpha": True, "beta": True, "alpha/main": False}
    with running(settings, PostgresSink(settings), await asyncio.to_thread(open_codec, settings)):
        await asyncio.to_thread(until, lambda: kept() == wanted, "the sink has kept them")
        await asyncio.to_thread(
            until, lambda: len(kept_switches(settings)) == 3 * KILL_SWITCHES.partitions, "of each partition"
        )
    assert await asyncio.to_thread(restore_switches, settings) == []

    for _ in range(2):  # offsets begin anew on each topic
        await asyncio.to_thread(recreated, settings, KILL_SWITCHES)
        restored = (await prepared(settings, "--accept-cluster")).output
        assert restored.count("is engaged again") == 2
        assert await asyncio.to_thread(kept) == wanted
    assert (await run(settings, halt, "beta", "--lift")).exit_code == 0
    assert await asyncio.to_thread(kept) == {**wanted, "beta": False}


async def test_a_switch_that_only_the_topic_has_is_kept_by_prepare(settings: Settings) -> None:
    """PostgreSQL was lost, or the sink was away: nothing is published again."""
    await prepared(settings)
    await asyncio.to_thread(publish, KILL_SWITCHES, [switch("beta", 1)], settings)
    await prepared(settings)
    assert [one.tenant_id for one in await asyncio.to_thread(kept_by_postgres, settings)] == ["beta"]
    commands = await asyncio.to_thread(topic_switches, settings)
    assert [len(of) for of in commands.commands.values()] == [1] * KILL_SWITCHES.partitions


async def test_halt_never_says_that_a_tenant_is_halted_who_is_not(
    settings: Settings, database: PostgresSettings, unused: Callable[[], int]
) -> None:
    """Without Kafka it fails and keeps nothing; without PostgreSQL the switch is in force, and it says what is not."""
    await prepared(settings)
    silent = f"127.0.0.1:{unused()}"
    no_kafka = settings.model_copy(
        update={"kafka": settings.kafka.model_copy(update={"bootstrap": silent, "answer_s": 1.0})}
    )
    failed = await run(no_kafka, halt, "beta")
    assert failed.exit_code == 1
    assert "beta is NOT halted" in failed.output
    assert "is halted:" not in failed.output
    assert await asyncio.to_thread(kept_switches, settings) == []

    no_store = settings.model_copy(
        update={"postgres": database.model_copy(update={"url": f"postgresql://127.0.0.1:{unused()}/none"})}
    )
    done = await run(no_store, halt, "beta")
    assert done.exit_code == 0
    assert "beta is halted" in done.output
    assert "only Kafka has the command" in done.output


@pytest.fixture
def unused() -> Callable[[], int]:
    """Give a function that returns a port where nobody listens."""

    def port() -> int:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            return int(one.getsockname()[1])

    return port


async def test_two_namespaces_know_their_own_topics(settings: Settings) -> None:
    """A topic of one that is created again does not stop the other."""
    other = settings.model_copy(update={"namespace": f"{settings.namespace.rstrip('.')}b."})
    await prepared(settings)
    await prepared(other)
    try:
        await asyncio.to_thread(recreated, other, SIGNALS)
        await prepared(settings)
        assert isinstance((await run(other, prepare)).exception, ClusterDiffers)
    finally:
        await asyncio.to_thread(delete_topics, other)
