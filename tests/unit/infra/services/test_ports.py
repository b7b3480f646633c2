"""Ports: one base, no collisions, and an error that names who is in the way."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.infra.services import ports as module
from tradewind.infra.services.embedded import names, services
from tradewind.infra.services.embedded.postgres import Postgres
from tradewind.infra.services.ports import DEFAULT_BASE, SPAN, Ports, base_of, check_free, is_free, kept_base, ports
from tradewind.infra.services.process import started
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
    return [*(found.base + offset for service in services().values() for offset in service.offsets), *found.metrics]


def test_each_file_declares_the_service_that_it_is_named_for() -> None:
    """The names alone, which workers ask for, are those of the services, and importing none of them costs nothing."""
    assert set(names()) == services().keys()


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
    check_free(ports(None).base, "postgres")


def test_a_folder_keeps_its_ports_and_gets_free_ones_where_they_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that several stacks live side by side, and each is where it was."""
    taken: set[int] = set()
    monkeypatch.setattr(module, "is_free", lambda port: port not in taken)
    one, two = tmp_path / "one", tmp_path / "two"
    assert base_of(one, None) == DEFAULT_BASE
    taken.update(Ports(DEFAULT_BASE).needed)
    other = base_of(two, None)
    assert other not in range(DEFAULT_BASE - SPAN, DEFAULT_BASE + SPAN)
    taken.clear()
    assert (base_of(one, None), base_of(two, None)) == (DEFAULT_BASE, other)
    taken.add(other + Postgres.offsets[0])
    assert base_of(two, None) != other
    assert base_of(two, 30_000) == kept_base(two) == 30_000
    assert base_of(two, None) == 30_000


@pytest.mark.parametrize("kept", ["", "x", "80", "99999", "-1"])
def test_a_kept_base_that_is_none_is_forgotten(tmp_path: Path, kept: str) -> None:
    """A full disk may have cut it."""
    (tmp_path / "base-port").write_text(kept)
    assert kept_base(tmp_path) is None


def test_a_folder_in_which_something_runs_keeps_its_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed `up` has left holds them, and is ended before they are needed."""
    base_of(tmp_path, 30_000)
    monkeypatch.setattr(module, "is_free", lambda _: False)
    (tmp_path / "run").mkdir()
    pid = os.getpid()
    record = {"pid": pid, "started": started(pid), "stop_signal": 15}
    (tmp_path / "run" / "kafka.json").write_text(json.dumps(record))
    assert base_of(tmp_path, None) == 30_000
