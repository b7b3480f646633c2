"""`tradewind reset`: wipe what a data folder's services and workers have kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

KEPT_BY_US = (
    "kafka", "postgres", "registry", "questdb", "workers", "logs", "run", "passwords",
    "endpoints.json", "up.json", "status.sqlite3", "status.sqlite3-wal", "status.sqlite3-shm",
)  # fmt: skip
"""What Tradewind writes in a data folder; anything else there is somebody else's, and stays."""


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Wipe the data folder: every event, order and position in it. External services keep what they have."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.holder import StillRunning, holder  # noqa: PLC0415

    data = Settings().data.absolute()
    if (pid := holder(data)) is not None:
        raise StillRunning(f"`up` is running in {data} (pid {pid}): stop it by `./dev down` first")
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
    return [data / name for name in KEPT_BY_US if (data / name).exists()]


def wipe(data: Path) -> None:
    """End what a killed `up` has left, remove what Tradewind wrote, and the folder itself where nothing is left."""
    from tradewind.infra.up.holder import stop  # noqa: PLC0415

    stop(data)
    for path in wipeable(data):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not any(data.iterdir()):
        data.rmdir()
