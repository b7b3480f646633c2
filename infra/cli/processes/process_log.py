"""How commands that run for long write their log: to standard error, with times, without the chatter of packages."""

from __future__ import annotations

import logging
import sys

from tradewind.infra.cli.processes.repeats import Repeats

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
CHATTER = ("httpx",)
"""Loggers that tell of every request."""


def set_up_log() -> None:
    """Log what matters from now on, and warnings that repeat once a minute."""
    lines = logging.StreamHandler(sys.stderr)
    lines.addFilter(Repeats())
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, handlers=[lines])
    for name in CHATTER:
        logging.getLogger(name).setLevel(logging.WARNING)
