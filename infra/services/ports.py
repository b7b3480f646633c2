"""The ports of the embedded services: all from one base, or free ones for a stack of tests beside a running one."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

from tradewind.infra.services.process import read_record
from tradewind.infra.services.service import LOOPBACK, PortInUse

DEFAULT_BASE = 19090
"""Away from the servers' own defaults (9092, 5432, ...), which a developer's machine may have in use."""
SPAN = 32
"""Ports that one base stands for: the first is the gateway's, the second half is for metrics of processes."""
METRICS_FIRST = 16
LOWEST, HIGHEST = 1024, 65_535 - SPAN
BASE_FILE = "base-port"
"""In the data folder: the base of its last start."""
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
    def needed(self) -> range:
        """All that a stack may listen on."""
        return range(self.base, self.base + SPAN)

    @property
    def gateway(self) -> int:
        """Where people and programs come in."""
        return self.base

    @property
    def metrics(self) -> tuple[int, ...]:
        """Metrics and readiness of workers, sinks and the feed, in the order in which they start."""
        return tuple(range(self.base + METRICS_FIRST, self.base + SPAN))


def base_of(data: Path, asked: int | None) -> int:
    """Return the base of a data folder's ports, and keep it there for the next start.

    It is the one that was asked for; else the one that the folder had; else the default. The latter two only while
    their ports are free, or are this folder's own: otherwise the folder gets a base whose ports are free now.
    """
    base = asked
    if base is None:
        base = kept_base(data) or DEFAULT_BASE
        if not (_runs_here(data) or all(is_free(port) for port in Ports(base).needed)):
            base = ports(None).base
    if kept_base(data) != base:
        data.mkdir(parents=True, exist_ok=True)
        (data / BASE_FILE).write_text(f"{base}\n")
    return base


def kept_base(data: Path) -> int | None:
    """Return the base that a data folder had last; None where it had none."""
    try:
        kept = int((data / BASE_FILE).read_text())
    except (OSError, ValueError):
        return None
    return kept if LOWEST <= kept <= HIGHEST else None


def _runs_here(data: Path) -> bool:
    """Whether something of this folder runs: what a killed `up` has left is ended before its ports are needed."""
    found = (read_record(path) for path in (data / "run").glob("*.json"))
    return any(record is not None and record.alive for record in found)


def ports(base: int | None) -> Ports:
    """Return the ports from a base; None finds a base whose ports are all free now."""
    if base is not None:
        if not LOWEST <= base <= HIGHEST:
            raise PortInUse(f"base port {base}: choose one from {LOWEST} to {HIGHEST}")
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
