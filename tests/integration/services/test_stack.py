"""The embedded services, for real: they start, keep strangers out, survive kills, and stop without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import plain_http
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness.distribution import own_services
from harness.shared_stack import SharedStack

from tradewind.connectors.settings import (
    InfluxSettings,
    KafkaSettings,
    PostgresSettings,
    RedisSettings,
    RegistrySettings,
    Settings,
)
from tradewind.infra.services import endpoints
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.infra.services.embedded.questdb import QuestDB
from tradewind.infra.services.folder import note_format
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import is_free, ports
from tradewind.infra.services.process import Server, read_record, started
from tradewind.infra.services.service import PortInUse, ServiceError, StackRunning
from tradewind.infra.services.stack import Stack, check

pytestmark = own_services
NAMES = {"kafka", "postgres", "registry", "questdb", "valkey"}
STOP_S = 15.0
"""The bound that a stop is held to, on a busy machine."""


@pytest.fixture(scope="module")
def own(new_data: Callable[[], Path]) -> Iterator[Stack]:
    """Give a stack of this module's own, whose services the tests may kill."""
    data = new_data()
    found = Stack(data, Settings(data=data, _env_file=None), base_port=None)
    found.start()
    yield found
    found.stop()


def servers(stack: Stack) -> list[Server]:
    """List a stack's processes."""
    return [server for name in NAMES for server in stack.service(name).servers]


def endpoint(stack: Stack | SharedStack, part: str) -> Any:
    """Give what the stack has published of a part."""
    return endpoints.published(stack.data)[part]


def produce(bootstrap: str, topic: str, values: list[bytes], **options: object) -> None:
    """Write records and wait until the broker has them."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0, **options})
    for value in values:
        producer.produce(topic, value, partition=0)
    assert producer.flush(30) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """Read the first records of partition 0."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        return [message.value() for message in consumer.consume(count, timeout=30)]
    finally:
        consumer.close()


def create_topic(bootstrap: str, topic: str, **options: Any) -> None:
    """Create a topic with one partition."""
    new = NewTopic(topic, 1, options.pop("replication", 1), config=options)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([new])[topic].result(30)


def sql(stack: Stack, query: str) -> Any:
    """Run a query in Tradewind's database."""

    async def run() -> Any:
        part = endpoint(stack, "postgres")
        connection = await asyncpg.connect(part["url"], user=part["user"], password=part["password"], timeout=30)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def questdb(stack: Stack, query: str) -> Any:
    """Run a query in QuestDB."""
    part = endpoint(stack, "influx")
    auth = (part["user"], part["password"])
    return plain_http.get(f"{part['url']}/exec", params={"query": query}, auth=auth).raise_for_status().json()


def register(stack: Stack, subject: str, fields: str) -> httpx.Response:
    """Register a schema of a record."""
    schema = f'{{"type": "record", "name": "R", "fields": [{fields}]}}'
    return plain_http.post(f"{endpoint(stack, 'registry')['url']}/subjects/{subject}/versions", json={"schema": schema})


def test_every_service_is_healthy_with_its_version(stack: SharedStack) -> None:
    """All five answer, as any process can ask."""
    found = {one.name: one for one in check(stack.data, Settings(data=stack.data, _env_file=None))}
    assert set(found) == NAMES
    assert all(one.healthy for one in found.values()), found
    assert {name: one.version for name, one in found.items()} == {
        "kafka": "4.3.1",
        "postgres": "18.4",
        "registry": "3.3.3",
        "questdb": "9.3.4",
        "valkey": "9.1.2",
    }


def test_everything_listens_on_loopback_only(own: Stack) -> None:
    """No service can be reached from another machine."""
    pids = {server.record.pid for server in servers(own) if server.record is not None}
    assert len(pids) == len(NAMES)
    listening = [c for c in psutil.net_connections("inet") if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert len(listening) >= 6
    assert {connection.laddr[0].removeprefix("::ffff:") for connection in listening} == {"127.0.0.1"}


@pytest.mark.parametrize("secret", ["wrong", ""])
async def test_postgres_refuses_a_wrong_password(stack: SharedStack, secret: str) -> None:
    """Neither Tradewind's user nor the superuser gets in without the password."""
    for user in ("tradewind", "postgres", "registry"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(endpoint(stack, "postgres")["url"], user=user, password=secret)


async def test_databases_are_closed_to_each_others_users(stack: SharedStack) -> None:
    """Tradewind's user does not see the registry's schemas."""
    part = endpoint(stack, "postgres")
    url = f"{part['url'].rpartition('/')[0]}/registry"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url, user=part["user"], password=part["password"])


@pytest.mark.parametrize("auth", [None, ("tradewind", "wrong"), ("admin", "quest")])
def test_questdb_refuses_a_wrong_password(stack: SharedStack, auth: tuple[str, str] | None) -> None:
    """Neither queries nor writes pass without the password, nor with QuestDB's default one."""
    url = endpoint(stack, "influx")["url"]
    query = plain_http.get(f"{url}/exec", params={"query": "select 1"}, auth=auth)
    write = plain_http.post(f"{url}/write", content=b"t v=1", auth=auth)
    assert (query.status_code, write.status_code) == (401, 401)


async def test_a_test_gets_a_database_of_its_own_with_vectors(database: PostgresSettings) -> None:
    """The fixture's database is empty, its owner's, and has pgvector."""
    assert database.url is not None
    assert database.password is not None
    secret = database.password.get_secret_value()
    connection = await asyncpg.connect(database.url, user=database.user, password=secret)
    try:
        await connection.execute("CREATE TABLE t (v vector(2))")
        await connection.execute("INSERT INTO t VALUES ('[1,2]')")
        assert await connection.fetchval("SELECT v <-> '[1,3]' FROM t") == 1.0
    finally:
        await connection.close()


def test_topics_are_not_created_by_mistake(settings: Settings) -> None:
    """A misspelt topic is an error, not a new topic."""
    producer = Producer({**settings.librdkafka(), "message.timeout.ms": 3000, "log_level": 0})
    failed: list[object] = []
    producer.produce(settings.physical("misspelt"), b"x", on_delivery=lambda error, _: failed.append(error))
    producer.flush(10)
    assert failed
    assert failed[0] is not None


def test_the_registry_demands_compatibility_of_all_versions(own: Stack) -> None:
    """A field without a default cannot be added: old records could not be read."""
    assert register(own, "strict", '{"name": "a", "type": "int"}').status_code == 200
    refused = register(own, "strict", '{"name": "a", "type": "int"}, {"name": "b", "type": "int"}')
    assert refused.status_code == 409
    assert register(
        own, "strict", '{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}'
    ).is_success


def test_kafka_survives_kill_9_with_its_records(own: Stack) -> None:
    """What was acknowledged is there after a kill, and the broker is back on the same port."""
    bootstrap = endpoint(own, "kafka")["bootstrap"]
    create_topic(bootstrap, "kept")
    produce(bootstrap, "kept", [b"1", b"2"])
    killed = own.service("kafka").servers[0]
    killed.kill()
    assert own.dead() == ["kafka"]
    own.restart("kafka")
    assert own.dead() == []
    produce(bootstrap, "kept", [b"3"])
    assert consume(bootstrap, "kept", 3) == [b"1", b"2", b"3"]


def test_postgres_survives_kill_9_with_its_rows(own: Stack) -> None:
    """What was committed is there after a kill, though its children and lock files were left behind."""
    sql(own, "CREATE TABLE kept AS SELECT 42 AS answer")
    own.service("postgres").servers[0].kill()
    own.restart("postgres")
    assert sql(own, "SELECT answer FROM kept") == 42


def test_postgres_starts_though_its_lock_file_names_a_living_process(own: Stack) -> None:
    """A lock file whose pid another process has by now does not keep PostgreSQL out."""
    server = own.service("postgres").servers[0]
    server.kill()
    lock = server.command.cwd / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    own.restart("postgres")
    assert sql(own, "SELECT 1") == 1


def test_questdb_survives_kill_9_with_its_rows(own: Stack) -> None:
    """What could be read before a kill can be read after it."""
    questdb(own, "create table kept (ts timestamp, v long) timestamp(ts) partition by day wal")
    questdb(own, "insert into kept values (0, 42)")
    deadline = time.monotonic() + 20
    while questdb(own, "select count() from kept")["dataset"] != [[1]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    own.service("questdb").servers[0].kill()
    own.restart("questdb")
    assert questdb(own, "select v from kept")["dataset"] == [[42]]


def test_schema_ids_survive_a_kill_of_registry_and_postgres(own: Stack) -> None:
    """Records in Kafka carry these ids: they mean the same schema for ever."""
    fields = '{"name": "a", "type": "int"}'
    known = register(own, "kept", fields).json()["id"]
    own.service("registry").servers[0].kill()
    own.service("postgres").servers[0].kill()
    own.restart("postgres")
    assert own.dead() == []
    base = endpoint(own, "registry")["url"]
    assert "fields" in plain_http.get(f"{base}/schemas/ids/{known}").json()["schema"]
    assert register(own, "kept", fields).json()["id"] == known
    assert register(own, "later", '{"name": "b", "type": "int"}').json()["id"] > known
    assert plain_http.get(f"{base}/config").json()["compatibilityLevel"] == "FULL_TRANSITIVE"


def test_a_second_stack_on_the_same_data_is_told_of_the_first(own: Stack) -> None:
    """Two stacks never share a data folder, and the refused one leaves the first one alone."""
    second = Stack(own.data, Settings(data=own.data, _env_file=None), base_port=None)
    with pytest.raises(StackRunning, match=rf"already run by pid {os.getpid()}"):
        second.start()
    second.stop()
    assert own.dead() == []
    assert all(one.healthy for one in own.health())


def test_a_port_in_use_is_an_error_that_names_it(new_data: Callable[[], Path]) -> None:
    """The start is refused before anything runs, and the folder is free again."""
    base, data = ports(None).base, new_data()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", base + QuestDB.offsets[0]))
        stranger.listen()
        stack = Stack(data, Settings(data=data, _env_file=None), base)
        with pytest.raises(PortInUse, match=rf"questdb needs port {base + QuestDB.offsets[0]} .*pid {os.getpid()}"):
            stack.start()
    assert list((data / "run").glob("*.json")) == []
    assert endpoints.published(data) == {}


def test_external_services_are_not_started(new_data: Callable[[], Path], stack: SharedStack) -> None:
    """Where every service is external, nothing is started, and health asks those."""
    found = endpoints.published(stack.data)
    data = new_data()
    settings = Settings(
        _env_file=None,
        data=data,
        kafka=KafkaSettings(**found["kafka"]),
        postgres=PostgresSettings(**found["postgres"]),
        registry=RegistrySettings(**found["registry"]),
        influx=InfluxSettings(**found["influx"]),
        redis=RedisSettings(**found["redis"]),
    )
    other = Stack(data, settings, base_port=None)
    assert other.start() == []
    assert all(one.healthy for one in other.health())
    assert endpoints.published(data) == {}
    other.stop()
    assert all(one.healthy for one in stack.health())


def test_health_tells_what_is_wrong(new_data: Callable[[], Path]) -> None:
    """Without services each is unhealthy, with what to do; with a dead one, with what happened."""
    data = new_data()
    settings = Settings(data=data, _env_file=None, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    found = {one.name: one for one in check(data, settings)}
    assert not any(one.healthy for one in found.values())
    assert "./dev up" in found["postgres"].detail
    assert "KafkaException" in found["kafka"].detail


def run_in_foreground(data: Path, base: int) -> subprocess.Popen[str]:
    """Start a stack as a process of its own."""
    command = [sys.executable, "-m", "tradewind.infra.services", "--data", str(data), "--base-port", str(base)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_up(process: subprocess.Popen[str]) -> None:
    """Read what the stack says until it is up."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if line.startswith("up in"):
            return
        said.append(line)
    pytest.fail("".join(said))


def recorded_pids(data: Path) -> dict[str, int]:
    """Give the pids that a data folder has recorded."""
    found = {path.stem: read_record(path) for path in (data / "run").glob("*.json")}
    return {name: record.pid for name, record in found.items() if record is not None}


def test_a_killed_stack_is_recovered_and_a_stopped_one_leaves_nothing(new_data: Callable[[], Path]) -> None:
    """After kill -9 of the stack, the next one ends its services and has their data; a stop leaves no pid, no port."""
    data, base = new_data(), ports(None).base
    first = run_in_foreground(data, base)
    wait_up(first)
    bootstrap = endpoints.published(data)["kafka"]["bootstrap"]
    create_topic(bootstrap, "kept")
    produce(bootstrap, "kept", [b"1"])
    orphans = recorded_pids(data)
    first.kill()
    first.communicate()
    assert set(orphans) == NAMES
    assert all(psutil.pid_exists(pid) for pid in orphans.values()), "they outlive the stack"

    second = run_in_foreground(data, base)
    wait_up(second)
    assert not any(started(pid) for pid in orphans.values())
    assert consume(bootstrap, "kept", 1) == [b"1"]
    pids = recorded_pids(data).values()
    begun = time.monotonic()
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=STOP_S)
    assert time.monotonic() - begun < STOP_S
    assert second.returncode == 130
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert list((data / "run").glob("*.json")) == []
    assert endpoints.published(data) == {}
    assert all(is_free(port) for port in range(base, base + 16))


def test_a_start_that_is_interrupted_leaves_nothing(new_data: Callable[[], Path]) -> None:
    """Ctrl-C while the services come up ends them all."""
    data, base = new_data(), ports(None).base
    process = run_in_foreground(data, base)
    deadline = time.monotonic() + 60
    while len(list((data / "run").glob("*.json")) if (data / "run").exists() else []) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=STOP_S)
    assert recorded_pids(data) == {}
    assert all(is_free(port) for port in range(base, base + 16))


def test_a_service_that_cannot_start_takes_the_others_down_with_its_reason(new_data: Callable[[], Path]) -> None:
    """One failure is told with the service's own words, and leaves nothing running."""
    data, base = new_data(), ports(None).base
    note_format(data)
    (data / "kafka" / "1" / "data").mkdir(parents=True)
    (data / "kafka" / "1" / "data" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=x\n")
    stack = Stack(data, Settings(data=data, _env_file=None), base)
    with pytest.raises(ServiceError, match=r"(?s)kafka ended while it started.*node id 7.*kafka\.log"):
        stack.start()
    assert recorded_pids(data) == {}
    assert all(is_free(port) for port in range(base, base + 16))


def test_unknown_clusters_are_refused() -> None:
    """More brokers than there are ports for is an error at once."""
    with pytest.raises(ValueError, match="choose 1 to 3"):
        Kafka(Place(Path(), ports(None), brokers=4))
