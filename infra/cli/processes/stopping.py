"""Stops an event loop from another thread."""

from __future__ import annotations

import asyncio
from contextlib import suppress


def set_from_thread(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """Set an event of a loop from another thread."""
    with suppress(RuntimeError):  # the loop is closed: the process has ended by itself
        loop.call_soon_threadsafe(stop.set)
