"""Spans have the ids that their events give them, so that a trace is whole whoever exports its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision as Sampling
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from processing import START, bar, deployed
from runtime.records import CODEC, NOWHERE, chunk

from tradewind import Bar, Decision, Fill, Signal, Strategy, Tick, View
from tradewind.connectors.telemetry.spans import Spans
from tradewind.connectors.telemetry.trace_context import Traced, as_traced, is_traced, span_id, trace_id
from tradewind.streams.runtime import Agent
from tradewind.streams.runtime.agent import redrive_topic
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.watch.statistics import BatchStatistics
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.testing import Pipeline
from tradewind.topics import ALERTS, BARS, SIGNALS

BEGUN_US, ENDED_US = 2_000_000, 3_000_000


class AlwaysLong(Strategy):
    """Buys at every bar."""

    name, interval_s = "always-long", 60

    def on_bar(self, memory: object, bar: Bar) -> View:
        """Say so."""
        return View("LONG", 1.0, "it is a test")


AGENT = Agent(name="signals", inputs=(BARS,), outputs=(SIGNALS, ALERTS), processor=deployed([AlwaysLong()]))


@pytest.fixture(scope="module")
def chain() -> list[Traced]:
    """Give every event that the agents send with a header in some minutes of trading: all of a chain but its bar."""
    mids = [1.1 + n % 7 / 1e4 for n in range(1200)]
    ticks = [
        Tick(symbol="EURUSD", venue="TEST", seq=n, ts_event=n * 1_000_000, bid=mid, ask=mid + 0.0002)
        for n, mid in enumerate(mids)
    ]
    outcome = Pipeline(strategies=[AlwaysLong()]).run(ticks)
    assert outcome.of(Fill)
    return [as_traced(event) for event in outcome.events if is_traced(type(event)) and not isinstance(event, Bar)]


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Give a place for spans."""
    made = InMemorySpanExporter()
    yield made
    made.shutdown()


def spans_of(exporter: InMemorySpanExporter, events: list[Traced], ratio: float = 1.0) -> dict[int, ReadableSpan]:
    """Return the spans of events by their ids."""
    Spans(SimpleSpanProcessor(exporter), Resource.create({}), ratio).emit(events, BEGUN_US, ENDED_US, {"group": "g"})
    return {span.context.span_id: span for span in exporter.get_finished_spans()}


def number(event_id: str) -> int:
    """Return the id of an event's span as OpenTelemetry holds it."""
    return int(span_id(event_id), 16)


def test_one_trace_runs_from_the_bar_to_each_fill(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """Every span's parent is that of the event that caused it, up to the bar, which has none."""
    spans = spans_of(exporter, chain)
    assert spans.keys() == {number(event.event_id) for event in chain} | {number(of.correlation_id) for of in chain}
    for fill in (event for event in chain if isinstance(event, Fill)):
        span, names = spans[number(fill.event_id)], []
        while span.parent is not None:
            names.append(span.name)
            assert span.context.trace_id == span.parent.trace_id == int(fill.correlation_id, 16)
            span = spans[span.parent.span_id]
        assert names == ["Fill", "OrderEvent", "OrderEvent", "Decision", "OrderRequest", "Signal"]
        assert (span.name, span.context.span_id) == ("origin", number(fill.correlation_id))


def test_a_span_lasts_from_its_batch_to_the_commit(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """The first one from the arrival of its origin to the batch that took it; attributes say what people look for."""
    signal = next(replace(event, ts_ingest=1_500_000) for event in chain if isinstance(event, Signal))
    fill = next(event for event in chain if isinstance(event, Fill))
    spans = spans_of(exporter, [signal, fill])
    lasts = {span.name: (span.start_time, span.end_time) for span in spans.values()}
    assert lasts["origin"] == (1_500_000_000, 2_000_000_000)
    assert lasts["Signal"] == lasts["Fill"] == (2_000_000_000, 3_000_000_000)
    attributes = dict(spans[number(fill.event_id)].attributes or {})
    assert (attributes["tradewind.event_id"], attributes["tradewind.tenant_id"]) == (fill.event_id, fill.tenant_id)
    assert (attributes["tradewind.symbol"], attributes["group"]) == ("EURUSD", "g")


@pytest.mark.parametrize("count", [3, 100], ids=["rows", "columns"])
def test_the_origin_of_a_trace_names_its_bar(exporter: InMemorySpanExporter, count: int) -> None:
    """Instrument, interval and start lead from a fill to the ticks of the bar it began with: no event has them all."""
    known = {topic.name: 0 for topic in (BARS, redrive_topic(AGENT))}
    task = Task(AgentWork(AGENT, NOWHERE, CODEC), 0, TaskState(), known)
    draft, statistics = Draft(origins={}), BatchStatistics()
    bars = [bar(START + 60_000_000 * at) for at in range(count)]
    task.run({BARS.name: [chunk(BARS, bars)]}, draft, Patience(60))
    statistics.note_commit([task], draft, traces=True)
    Spans(SimpleSpanProcessor(exporter), Resource.create({}), 1.0).emit(statistics.traced, 1, 2, {}, statistics.origins)
    origins = [dict(span.attributes or {}) for span in exporter.get_finished_spans() if span.name == "origin"]
    assert origins == [
        {
            "tradewind.symbol": "EURUSD",
            "tradewind.venue": "OANDA",
            "tradewind.interval_s": "60",
            "tradewind.ts_start": str(one.ts_start),
        }
        for one in bars
    ]


def test_an_event_that_goes_to_many_partitions_is_one_span(chain: list[Traced], exporter: InMemorySpanExporter) -> None:
    """Kill switches are sent to all."""
    decision = next(event for event in chain if isinstance(event, Decision))
    spans_of(exporter, [decision, decision])
    assert len(exporter.get_finished_spans()) == 1


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_a_trace_is_sampled_whole_or_not_at_all_as_opentelemetry_would(
    chain: list[Traced], exporter: InMemorySpanExporter, ratio: float
) -> None:
    """Each process decides by itself, from the trace's id, and all decide alike."""
    kept = {span.context.trace_id for span in spans_of(exporter, chain, ratio).values()}
    sampler = TraceIdRatioBased(ratio)
    traces = {int(trace_id(event.correlation_id), 16) for event in chain}
    chosen = {of for of in traces if sampler.should_sample(None, of, "").decision is Sampling.RECORD_AND_SAMPLE}
    assert kept == chosen
    events = sum(int(event.correlation_id, 16) in chosen for event in chain)
    assert len(exporter.get_finished_spans()) == events + len(chosen)
