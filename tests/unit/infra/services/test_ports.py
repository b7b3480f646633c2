"""Ports: one base, no collisions, and an error that names who is in the way."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tradewind.infra.services.ports import DEFAULT_BASE, SPAN, Ports, check_free, is_free, ports
from tradewind.infra.services.service import PortInUse


@pytest.fixture
def taken() -> Iterator[int]:
    """Listen on a free port, and give it."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def every(found: Ports) -> list[int]:
    """List all ports of a base."""
    single = (found.registry, found.registry_management, found.questdb_http, found.questdb_pg, found.postgres)
    return [*found.brokers, *found.controllers, *single, *found.metrics]


def test_all_ports_differ_and_lie_in_the_span() -> None:
    """Services of one base never meet, nor those of the next base."""
    found = every(ports(DEFAULT_BASE))
    assert len(set(found)) == len(found)
    assert all(DEFAULT_BASE <= port < DEFAULT_BASE + SPAN for port in found)


def test_free_ports_are_free_and_outside_the_range_of_outgoing_connections() -> None:
    """Tests beside a running stack get ports that nothing has, and that no outgoing connection will be given."""
    found = every(ports(None))
    assert all(is_free(port) for port in found)
    assert max(found) < 32_768


@pytest.mark.parametrize("base", [0, 80, 65_530])
def test_an_impossible_base_is_refused(base: int) -> None:
    """Ports of the system, and beyond the last one, are not taken."""
    with pytest.raises(PortInUse, match="choose one from 1024"):
        ports(base)


def test_a_taken_port_names_its_holder_and_the_way_out(taken: int) -> None:
    """The error says which service needs which port, who has it, and what to do."""
    with pytest.raises(PortInUse, match=rf"kafka needs port {taken} .* pid {os.getpid()} \(.+\): .*--base-port"):
        check_free(taken, "kafka")


def test_a_free_port_passes(taken: int) -> None:
    """Nothing is said of a port that can be had."""
    check_free(ports(None).postgres, "postgres")
