"""The ports of the embedded services: all from one base, or free ones for a stack of tests beside a running one."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

import psutil

from tradewind.infra.services.service import LOOPBACK, PortInUse

DEFAULT_BASE = 19090
"""Away from the servers' own defaults (9092, 5432, ...), which a developer's machine may have in use."""
MAX_BROKERS = 3
SPAN = 32
"""Ports that one base stands for; the first two are left to the dashboard and the API, the second half to workers."""
METRICS_FIRST = 16
FREE_FIRST, FREE_LAST = 20_000, 32_000
"""Where free ports are looked for: below the range that systems hand out to outgoing connections, one of which
could otherwise take the port of a server that is being restarted."""
TRIES = 200
CONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each service listens."""

    base: int

    @property
    def brokers(self) -> tuple[int, ...]:
        """Kafka's clients connect here; with the default base the first is 19092."""
        return tuple(range(self.base + 2, self.base + 2 + MAX_BROKERS))

    @property
    def controllers(self) -> tuple[int, ...]:
        """Kafka's controllers talk to one another here."""
        return tuple(range(self.base + 5, self.base + 5 + MAX_BROKERS))

    @property
    def registry(self) -> int:
        """The schema registry's API."""
        return self.base + 8

    @property
    def registry_management(self) -> int:
        """The schema registry's health checks and metrics."""
        return self.base + 9

    @property
    def questdb_http(self) -> int:
        """QuestDB's line protocol, queries and console."""
        return self.base + 10

    @property
    def questdb_pg(self) -> int:
        """QuestDB's queries in PostgreSQL's protocol."""
        return self.base + 11

    @property
    def postgres(self) -> int:
        """PostgreSQL."""
        return self.base + 12

    @property
    def metrics(self) -> tuple[int, ...]:
        """Metrics and readiness of workers, sinks and the feed, in the order in which they start."""
        return tuple(range(self.base + METRICS_FIRST, self.base + SPAN))


def ports(base: int | None) -> Ports:
    """Return the ports from a base; None finds a base whose ports are all free now."""
    if base is not None:
        if not 1024 <= base <= 65_535 - SPAN:
            raise PortInUse(f"base port {base}: choose one from 1024 to {65_535 - SPAN}")
        return Ports(base)
    for _ in range(TRIES):
        candidate = FREE_FIRST + SPAN * secrets.randbelow((FREE_LAST - FREE_FIRST) // SPAN)
        if all(is_free(candidate + offset) for offset in range(SPAN)):
            return Ports(candidate)
    raise PortInUse(f"no {SPAN} free ports in a row between {FREE_FIRST} and {FREE_LAST}: end what listens there")


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closing do not count
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def connect(port: int) -> None:
    """Raise `OSError` unless someone listens: a hundredth of what a client costs that has to find this out itself."""
    with socket.create_connection((LOOPBACK, port), timeout=CONNECT_S):
        return


def check_free(port: int, service: str) -> None:
    """Raise `PortInUse`, naming who listens, unless a service can have this port."""
    if not is_free(port):
        raise PortInUse(
            f"{service} needs port {port} of {LOOPBACK}, which is in use by {holder(port)}: end that process, "
            f"or choose other ports with --base-port N (TRADEWIND_BASE_PORT)"
        )


def holder(port: int) -> str:
    """Return the pid and name of the process that listens on a port, as far as this user may know."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        connections = []  # macOS tells only root
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid is not None:
            try:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
            except psutil.NoSuchProcess:
                break
    return "a process of another user"
