"""Spans have the ids that their events give them, so that a trace is whole whoever exports its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision as Sampling
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from tradewind import Bar, Fill, Strategy, Tick, View
from tradewind.connectors.telemetry.spans import Spans
from tradewind.connectors.telemetry.trace_context import Traced, as_traced, is_traced, span_id, trace_id
from tradewind.testing import Pipeline

BEGUN_US, ENDED_US = 2_000_000, 3_000_000


class AlwaysLong(Strategy):
    """Buys at every bar."""

    name, interval_s = "always-long", 60

    def on_bar(self, memory: object, bar: Bar) -> View:
        """Say so."""
        return View("LONG", 1.0, "it is a test")


@pytest.fixture(scope="module")
def chain() -> list[Traced]:
    """Give every event of some minutes of trading that belongs to a chain."""
    mids = [1.1 + n % 7 / 1e4 for n in range(1200)]
    ticks = [
        Tick(symbol="EURUSD", venue="TEST", seq=n, ts_event=n * 1_000_000, bid=mid, ask=mid + 0.0002)
        for n, mid in enumerate(mids)
    ]
    outcome = Pipeline(strategies=[AlwaysLong()]).run(ticks)
    assert outcome.of(Fill)
    return [as_traced(event) for event in outcome.events if is_traced(type(event))]


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Give a place for spans."""
    made = InMemorySpanExporter()
    yield made
    made.shutdown()


def spans_of(exporter: InMemorySpanExporter, events: list[Traced], ratio: float = 1.0) -> dict[str, ReadableSpan]:
    """Return the spans of events by the ids of those."""
    Spans(SimpleSpanProcessor(exporter), Resource.create({}), ratio).emit(events, BEGUN_US, ENDED_US, {"group": "g"})
    return {str((span.attributes or {})["tradewind.event_id"]): span for span in exporter.get_finished_spans()}


def test_one_trace_runs_from_the_bar_to_each_fill(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """Every span's parent is that of the event that caused it, up to the bar, which has none."""
    spans = spans_of(exporter, chain)
    assert spans.keys() == {event.event_id for event in chain}
    by_id = {event.event_id: event for event in chain}
    fills = [event for event in chain if isinstance(event, Fill)]
    for fill in fills:
        path: list[Traced] = [fill]
        while path[-1].causation_id != path[-1].event_id:
            path.append(by_id[path[-1].causation_id])
        assert [type(event).__name__ for event in path][-1] == "Bar"
        for event, cause in pairwise(path):
            span = spans[event.event_id]
            assert span.parent is not None
            assert span.parent.span_id == int(span_id(cause.event_id), 16)
            assert span.context.trace_id == span.parent.trace_id == int(path[-1].event_id, 16)
        assert spans[path[-1].event_id].parent is None


def test_a_span_lasts_from_its_batch_to_the_commit(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """The first of a chain begins when its origin came in; attributes say what people look for."""
    bar = replace(next(event for event in chain if isinstance(event, Bar)), ts_ingest=1_500_000)
    fill = next(event for event in chain if isinstance(event, Fill))
    spans = spans_of(exporter, [bar, fill])
    assert (spans[bar.event_id].start_time, spans[bar.event_id].end_time) == (1_500_000_000, 3_000_000_000)
    assert (spans[fill.event_id].start_time, spans[fill.event_id].end_time) == (2_000_000_000, 3_000_000_000)
    assert spans[fill.event_id].name == "Fill"
    attributes = dict(spans[fill.event_id].attributes or {})
    assert attributes["tradewind.tenant_id"] == fill.tenant_id
    assert (attributes["tradewind.symbol"], attributes["group"]) == ("EURUSD", "g")


def test_an_event_that_goes_to_many_partitions_is_one_span(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """Kill switches are sent to all."""
    spans_of(exporter, [chain[0], chain[0]])
    assert len(exporter.get_finished_spans()) == 1


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_a_trace_is_sampled_whole_or_not_at_all_as_opentelemetry_would(
    chain: list[Traced], exporter: InMemorySpanExporter, ratio: float
) -> None:
    """Each process decides by itself, from the trace's id, and all decide alike."""
    spans = spans_of(exporter, chain, ratio)
    kept = {event.correlation_id for event in chain if event.event_id in spans}
    sampler = TraceIdRatioBased(ratio)
    traces = {event.correlation_id for event in chain}
    expected = {
        correlation_id
        for correlation_id in traces
        if sampler.should_sample(None, int(trace_id(correlation_id), 16), "").decision is Sampling.RECORD_AND_SAMPLE
    }
    assert kept == expected
    assert len(exporter.get_finished_spans()) == sum(event.correlation_id in expected for event in chain)
