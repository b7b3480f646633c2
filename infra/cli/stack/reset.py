"""`tradewind reset`: wipe what a data folder's services and workers have kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

KEPT_BY_US = (
    "workers", "logs", "run", "passwords", "reserve", "archive",
    "endpoints.json", "base-port", "format", "known-cluster.json", "up.json",
    "status.sqlite3", "status.sqlite3-wal", "status.sqlite3-shm",
)  # fmt: skip
"""What Tradewind writes in a data folder, beside the folders of services; what else is there stays."""


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Delete the data folder, with every event, order and position in it. External services keep their data."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.holder import StillRunning, holder  # noqa: PLC0415

    data = Settings().data.absolute()
    if (pid := holder(data)) is not None:
        raise StillRunning(f"`up` is running in {data} (pid {pid}): run `./dev down` first")
    found = wipeable(data)
    if not found:
        click.echo(f"there is nothing in {data}")
        return
    size = sum(file.lstat().st_size for path in found for file in (path, *path.rglob("*")) if not file.is_dir())
    if not yes:
        click.confirm(f"wipe {size / 1e6:,.0f} MB in {data}: all events, orders, fills and positions?", abort=True)
    wipe(data)
    click.echo(f"wiped {data}")


def wipeable(data: Path) -> list[Path]:
    """Return what is there to wipe."""
    from tradewind.infra.services.embedded import names  # noqa: PLC0415

    return [data / name for name in (*names(), *KEPT_BY_US) if os.path.lexists(data / name)]


def wipe(data: Path) -> None:
    """End what a killed `up` has left, remove what Tradewind wrote, and the folder itself where nothing is left."""
    from tradewind.infra.services.embedded.postgres import moved_out  # noqa: PLC0415
    from tradewind.infra.up.holder import stop  # noqa: PLC0415

    stop(data)
    for path in wipeable(data):
        if (outside := moved_out(path)) is not None:
            shutil.rmtree(outside, ignore_errors=True)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(data.iterdir()):
        data.rmdir()
