"""`tradewind logs`: what services and workers say."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import click

POLL_S = 0.2


@click.command()
@click.argument("name", required=False)
@click.option(
    "-n", "--lines", default=20, show_default=True, type=click.IntRange(min=0), help="How many last lines of each log."
)
@click.option("-f", "--follow", is_flag=True, help="Wait for new lines.")
def logs(*, name: str | None, lines: int, follow: bool) -> None:
    """Print the last lines of the log of NAME, or of every service and worker."""
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - help comes at once
    from tradewind.infra.up.logs import FOLDER, logs_of  # noqa: PLC0415

    data = Settings().data.absolute()
    folder, found = data / FOLDER, logs_of(data)
    if name is not None and name not in found:
        raise click.UsageError(f"there is no log {name!r} in {folder}; there are: {', '.join(found) or 'none'}")
    if not found:
        raise click.ClickException(f"there are no logs in {folder}: nothing has run there")
    chosen = found if name is None else {name: found[name]}
    prefix = "" if name is not None else f"{{:<{max(map(len, chosen))}}} | "
    opened = {one: path.open(errors="replace") for one, path in chosen.items()}
    for one, log in opened.items():
        for line in deque(log, lines):
            click.echo(prefix.format(one) + line.rstrip("\n"))
    if follow:
        _follow(opened, chosen, prefix)


def _follow(opened: Mapping[str, TextIO], paths: Mapping[str, Path], prefix: str) -> None:
    """Print what is added; a log that was cut is read from its beginning."""
    try:
        while True:
            for one, log in opened.items():
                if paths[one].stat().st_size < log.tell():
                    log.seek(0)
                for line in log:
                    click.echo(prefix.format(one) + line.rstrip("\n"))
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        sys.exit(0)
