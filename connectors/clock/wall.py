"""The time of this machine's clock, for events and timestamps that are made now. Spans are measured by `monotonic`."""

from __future__ import annotations

import time


def clock_us() -> int:
    """Return the time in µs since 1970, UTC."""
    return time.time_ns() // 1_000


def clock_ms() -> int:
    """Return the time in ms since 1970, UTC, which is what Kafka's timestamps count."""
    return time.time_ns() // 1_000_000
