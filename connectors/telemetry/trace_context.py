"""The trace that an event belongs to, derived from its ids: processing it again gives the same bytes.

A chain of events (bar, signal, request, decision, order event, fill, position) is one trace, and each event is one span
of it, whose parent is the event that caused it. Ids of ours are 32 hex digits of a blake2b hash already, so they are
used as they stand: the trace of a fill is found by the `correlation_id` that its row in PostgreSQL shows. Other ids,
such as those that a person publishes, are hashed.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Protocol, cast

TRACE_BYTES, SPAN_BYTES = 16, 8  # as https://www.w3.org/TR/trace-context-2/ has them
HEADER = "traceparent"
_AS_IT_STANDS = re.compile(r"(?!0{16})[0-9a-f]{32}").fullmatch  # ids of zeros alone are invalid


class Traced(Protocol):
    """An event of a chain."""

    @property
    def event_id(self) -> str:
        """Names the event."""
        ...

    @property
    def correlation_id(self) -> str:
        """The first event of its chain."""
        ...

    @property
    def causation_id(self) -> str:
        """The event that caused it; its own id where it is the first."""
        ...

    @property
    def ts_ingest(self) -> int:
        """When the origin of the chain came in, µs."""
        ...


CHAIN_FIELDS = ("event_id", "correlation_id", "causation_id", "ts_ingest")


def is_traced(model: type) -> bool:
    """Return whether events of a model belong to chains; ticks, heartbeats and dead letters do not."""
    return all(name in getattr(model, "__slots__", ()) for name in CHAIN_FIELDS)


def trace_id(correlation_id: str) -> str:
    """Return the id of a chain's trace: 32 hex digits."""
    if _AS_IT_STANDS(correlation_id):
        return correlation_id
    return blake2b(correlation_id.encode(), digest_size=TRACE_BYTES).hexdigest()


def span_id(event_id: str) -> str:
    """Return the id of an event's span: 16 hex digits."""
    if _AS_IT_STANDS(event_id):
        return event_id[: 2 * SPAN_BYTES]
    return blake2b(event_id.encode(), digest_size=SPAN_BYTES).hexdigest()


def traceparent(event: Traced) -> bytes:
    """Return the header's value for an event.

    Its flag says that spans may have been recorded, whatever the sampling: settings of telemetry change no record.
    """
    return f"00-{trace_id(event.correlation_id)}-{span_id(event.event_id)}-01".encode()


def headers(event: Traced) -> list[tuple[str, bytes]]:
    """Return the headers of an event's record."""
    return [(HEADER, traceparent(event))]


def as_traced(event: object) -> Traced:
    """Return an event of a model that `is_traced`, typed as one."""
    return cast("Traced", event)
