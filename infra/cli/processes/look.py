"""`tradewind look`: looks at what flows, for `up`."""

from __future__ import annotations

import os
import threading

import click

from tradewind.infra.cli.processes.process_log import set_up_log
from tradewind.infra.services.ending import stop_on_signals


@click.command(hidden=True)
def look() -> None:
    """Look once a second, until SIGTERM or until the starter is gone."""
    set_up_log()
    from tradewind.connectors.settings import Settings  # noqa: PLC0415 - the log begins before
    from tradewind.infra.up.looks import look_on  # noqa: PLC0415

    stop, starter = threading.Event(), os.getppid()
    stop_on_signals(stop)
    look_on(Settings().data, lambda seconds: stop.wait(seconds) or os.getppid() != starter)
