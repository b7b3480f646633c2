"""Spans of events, with the ids that their events give them: one for each event that a committed batch has made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from tradewind.connectors.telemetry.trace_context import Traced, span_id, trace_id

SCOPE = InstrumentationScope("tradewind")
NS_PER_US = 1000
ORIGIN = "origin"
INSTRUMENT = ("symbol", "venue")
BAR = (*INSTRUMENT, "interval_s", "ts_start")
"""What names a bar, and so the ticks that are in it."""
LOOKED_FOR = ("event_id", "tenant_id", *INSTRUMENT)
NO_ORIGINS: Mapping[str, object] = MappingProxyType({})
LOW_BITS = TraceIdRatioBased.TRACE_ID_LIMIT
"""The part of a trace's id that decides whether it is sampled: as OpenTelemetry's own sampler by ratio does it."""


class SpanSink(Protocol):
    """Takes ended spans without waiting, such as a `BatchSpanProcessor`, whose queue is bounded."""

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span."""
        ...


class _Placed(Protocol):
    """What tells where in its trace a span is."""

    @property
    def event_id(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def causation_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _First:
    """The first event of a chain, of which only the id is known."""

    event_id: str

    @property
    def correlation_id(self) -> str:
        return self.event_id

    @property
    def causation_id(self) -> str:
        return self.event_id


class Spans:
    """Makes the spans of events and hands them on."""

    def __init__(self, sink: SpanSink, resource: Resource, sample_ratio: float) -> None:
        self._sink = sink
        self._resource = resource
        self._bound = TraceIdRatioBased.get_bound_for_rate(sample_ratio)

    def sampled(self, event: Traced) -> bool:
        """Return whether the trace of an event is kept: the same for all its events, in every process."""
        return int(trace_id(event.correlation_id), 16) & LOW_BITS < self._bound

    def emit(
        self,
        events: Iterable[Traced],
        begun_us: int,
        ended_us: int,
        attributes: Mapping[str, str],
        origins: Mapping[str, object] = NO_ORIGINS,
    ) -> int:
        """Hand on a span for each sampled event, from the begin of its batch to the commit; return how many.

        The first of a chain, a bar, is made by the thousand, and most lead to nothing: so its span comes from whoever
        acts on it, and lasts from the arrival of its origin to the begin of the batch that took it. `origins` has the
        first events of chains by their ids: a bar's interval and start are in no other event.
        """
        seen: set[str] = set()
        for event in events:
            if event.event_id in seen or not self.sampled(event):
                continue
            seen.add(event.event_id)
            self._emit(event, type(event).__name__, begun_us, ended_us, {**attributes, **_of(event)})
            if event.causation_id == event.correlation_id and event.correlation_id not in seen:
                seen.add(event.correlation_id)
                arrived_us = min(begun_us, event.ts_ingest)
                first = origins.get(event.correlation_id, event)
                self._emit(_First(event.correlation_id), ORIGIN, arrived_us, begun_us, _of(first, BAR))
        return len(seen)

    def _emit(self, event: _Placed, name: str, begun_us: int, ended_us: int, attributes: Mapping[str, str]) -> None:
        trace = trace_id(event.correlation_id)
        first = event.event_id == event.correlation_id
        self._sink.on_end(
            ReadableSpan(
                name=name,
                context=_context(trace, event.event_id),
                parent=None if first else _context(trace, event.causation_id, remote=True),
                resource=self._resource,
                attributes=attributes,
                kind=SpanKind.PRODUCER,
                start_time=begun_us * NS_PER_US,
                end_time=ended_us * NS_PER_US,
                instrumentation_scope=SCOPE,
            )
        )


def _context(trace: str, event_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace, 16), int(span_id(event_id), 16), remote, TraceFlags(TraceFlags.SAMPLED))


def _of(event: object, names: Iterable[str] = LOOKED_FOR) -> dict[str, str]:
    """Return what a person looks for in a trace."""
    found = {name: getattr(event, name, None) for name in names}
    return {f"tradewind.{name}": str(value) for name, value in found.items() if value is not None}
