"""How commands that run for long write their log: to standard error, with times, without the chatter of packages."""

from __future__ import annotations

import logging
import sys

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
CHATTER = ("httpx",)
"""Loggers that tell of every request."""


def set_up_log() -> None:
    """Log what matters from now on."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    for name in CHATTER:
        logging.getLogger(name).setLevel(logging.WARNING)
