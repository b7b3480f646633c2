"""How the servers of `tests/containers` are started, and when they are up: what their official images take.

Each is a function of a port and a secret that returns environment, command and probe. All listen on loopback only.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence

import asyncpg
import httpx
from confluent_kafka.admin import AdminClient

LOOPBACK = "127.0.0.1"
PROBE_S = 3.0
ORG, USER, DATABASE = "trading", "tradewind", "tradewind"
Start = tuple[Mapping[str, str], Sequence[str], Callable[[], None]]


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres(port: int, secret: str) -> Start:
    """PostgreSQL with a database and its owner."""
    environment = {"POSTGRES_USER": USER, "POSTGRES_PASSWORD": secret, "POSTGRES_DB": DATABASE}

    async def ask() -> None:
        connection = await asyncpg.connect(
            f"postgresql://{LOOPBACK}:{port}/{DATABASE}", user=USER, password=secret, timeout=PROBE_S
        )
        await connection.close()

    return environment, ("postgres", "-p", str(port), "-c", f"listen_addresses={LOOPBACK}"), lambda: asyncio.run(ask())


def influxdb(port: int, secret: str) -> Start:
    """InfluxDB 2 with an organisation and a token that may do all; its bucket is not the one of the tests."""
    environment = {
        "DOCKER_INFLUXDB_INIT_MODE": "setup",
        "DOCKER_INFLUXDB_INIT_USERNAME": USER,
        "DOCKER_INFLUXDB_INIT_PASSWORD": secret,
        "DOCKER_INFLUXDB_INIT_ORG": ORG,
        "DOCKER_INFLUXDB_INIT_BUCKET": "setup",
        "DOCKER_INFLUXDB_INIT_ADMIN_TOKEN": secret,
        "INFLUXD_HTTP_BIND_ADDRESS": f"{LOOPBACK}:{port}",
        "INFLUXD_INIT_PORT": str(free_port()),  # while it is set up, on all addresses; 9999 may be taken
        "INFLUXD_REPORTING_DISABLED": "true",
    }

    def ask() -> None:
        answer = httpx.get(
            f"http://{LOOPBACK}:{port}/api/v2/orgs", headers={"Authorization": f"Token {secret}"}, timeout=PROBE_S
        )
        answer.raise_for_status()

    return environment, (), ask


def kafka(port: int, _secret: str) -> Start:
    """One broker that is its own controller."""
    controller = free_port()
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{LOOPBACK}:{controller}",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }

    def ask() -> None:
        AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0}).list_topics(timeout=PROBE_S)

    return environment, (), ask


def valkey(port: int, secret: str) -> Start:
    """Valkey with a password and an append-only file."""
    command = ("valkey-server", "--bind", LOOPBACK, "--port", str(port), "--requirepass", secret, "--appendonly", "yes")

    def ask() -> None:
        answer = valkey_says(port, f"AUTH {secret}", "PING")
        if answer != ["+OK", "+PONG"]:
            raise ConnectionError(str(answer))

    return {}, command, ask


def valkey_says(port: int, *commands: str) -> list[str]:
    """Return what Valkey answers to inline commands, a line each; a text's length is left out."""
    with (
        socket.create_connection((LOOPBACK, port), PROBE_S) as connection,
        connection.makefile("rw", newline="\r\n") as io,
    ):
        found = []
        for command in commands:
            io.write(f"{command}\r\n")
            io.flush()
            line = io.readline().rstrip("\r\n")
            found.append(io.readline().rstrip("\r\n") if line[:1] == "$" and line != "$-1" else line)
        return found


SERVERS: Mapping[str, Callable[[int, str], Start]] = {
    "postgres": postgres,
    "influxdb": influxdb,
    "kafka": kafka,
    "valkey": valkey,
}
