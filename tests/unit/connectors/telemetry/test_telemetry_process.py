"""A process with telemetry answers on its port, sends what it is told to, and is not held up by either."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import plain_http
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tradewind.connectors.settings import MetricsSettings, OtlpSettings, Settings
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.instruments import Undeclared, check_declared
from tradewind.connectors.telemetry.metrics import GROUP, OUTCOME, SYSTEM, TOPIC
from tradewind.connectors.telemetry.process import STANDARD_ENDPOINT, Telemetry, telemetry
from tradewind.infra.services.ports import ports
from tradewind.schemas.notifications import Alert

LABELS = {SYSTEM: "kafka", GROUP: "tradewind.market"}
EVENT = Alert(
    event_id="e" * 32,
    correlation_id="c" * 32,
    causation_id="a" * 32,
    ts_event=1,
    ts_ingest=2,
    severity="INFO",
    source="test",
    code="TEST",
    message="",
)


class Collector:
    """A receiver of OTLP over HTTP that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: dict[str, list[bytes]] = {}
        kept = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                kept.setdefault(self.path, []).append(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Give a collector that listens."""
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the machine is set to send to."""
    monkeypatch.delenv(STANDARD_ENDPOINT, raising=False)


def settings_of(port: int = 0, endpoint: str | None = None, ratio: float = 1.0) -> Settings:
    """Return settings that ask for telemetry."""
    return Settings(
        _env_file=None,
        metrics=MetricsSettings(port=port),
        otlp=OtlpSettings(endpoint=endpoint, sample_ratio=ratio),
    )


def test_without_settings_there_is_nothing() -> None:
    """No server, no recording, no spans."""
    with telemetry(settings_of(), "market") as told:
        assert (told.instruments, told.spans, told.url) == (None, None, None)


def record(told: Telemetry) -> None:
    """Record one batch of one transaction."""
    assert told.instruments is not None
    told.instruments.record(metrics.BATCH_RECORDS, 300, LABELS)
    told.instruments.add_source(
        lambda metric: [(7, {**LABELS, OUTCOME: "committed"})] if metric is metrics.TRANSACTIONS else []
    )


def test_a_scrape_shows_what_was_recorded() -> None:
    """Histograms with the declared bounds, counters as sources tell them, and the process itself."""
    with telemetry(settings_of(ports(None).base), "market") as told:
        record(told)
        assert told.url is not None
        text = plain_http.get(f"{told.url}/metrics").text
    samples = {
        (one.name, one.labels.get("le", "")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    assert samples["tradewind_batch_records_bucket", "100.0"] == 0
    assert samples["tradewind_batch_records_bucket", "500.0"] == 1
    assert samples["tradewind_batch_records_sum", ""] == 300
    assert samples["tradewind_transactions_total", ""] == 7
    assert samples["tradewind_ready", ""] == 1
    assert samples["process_resident_memory_bytes", ""] > 0


def test_readiness_and_life_are_told_with_reasons() -> None:
    """200 or 503, and why; what does not live is not ready either."""
    wrong: list[str] = []
    stands: list[str] = []
    with telemetry(settings_of(ports(None).base), "market") as told:
        told.health.must_be_ready("agent market", lambda: wrong)
        told.health.must_live("event loop", lambda: stands)
        ready = plain_http.get(f"{told.url}/ready")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": {}})
        wrong.append("restoring")
        ready = plain_http.get(f"{told.url}/ready")
        assert (ready.status_code, ready.json()) == (
            503,
            {"ready": False, "reasons": {"agent market": ["restoring"]}},
        )
        assert plain_http.get(f"{told.url}/live").status_code == 200
        stands.append("it has stood for 31 s")
        assert plain_http.get(f"{told.url}/live").json()["reasons"] == {"event loop": ["it has stood for 31 s"]}
        assert plain_http.get(f"{told.url}/ready").json()["reasons"].keys() == {"agent market", "event loop"}
        missing = plain_http.get(f"{told.url}/")
        assert (missing.status_code, missing.json()) == (404, {"paths": ["/live", "/metrics", "/ready"]})


def test_a_port_that_is_taken_costs_the_metrics_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """The log says which port, and what to do; a client that says nothing holds nobody up either."""
    port = ports(None).base
    with telemetry(settings_of(port), "market") as first, telemetry(settings_of(port), "signals") as second:
        assert (first.url, second.url) == (f"http://127.0.0.1:{port}", None)
        record(second)
        assert f"cannot listen on port {port} of 127.0.0.1" in caplog.text
        with socket.create_connection(("127.0.0.1", port)):
            assert plain_http.get(f"{first.url}/ready", timeout=3).status_code == 200


@pytest.mark.parametrize("standard", [False, True])
def test_metrics_and_spans_are_sent_by_otlp(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, standard: bool
) -> None:
    """Decoded from protobuf by a receiver of the test's own; the standard variable does as well as ours."""
    if standard:
        monkeypatch.setenv(STANDARD_ENDPOINT, collector.url)
    with telemetry(settings_of(endpoint=None if standard else collector.url), "market") as told:
        record(told)
        assert told.spans is not None
        assert told.spans.emit([EVENT], 1_000, 2_000, LABELS) == 1
    (traces,) = collector.received["/v1/traces"]
    (resource,) = ExportTraceServiceRequest.FromString(traces).resource_spans
    of_process = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert of_process["service.name"] == "tradewind-market"
    (span,) = resource.scope_spans[0].spans
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == ("c" * 32, "e" * 16, "a" * 16)
    assert (span.name, span.start_time_unix_nano, span.end_time_unix_nano) == ("Alert", 1_000_000, 2_000_000)
    sent = ExportMetricsServiceRequest.FromString(collector.received["/v1/metrics"][-1])
    found = {metric.name: metric for metric in sent.resource_metrics[0].scope_metrics[0].metrics}
    assert found["tradewind.transactions"].sum.data_points[0].as_int == 7
    histogram = found["tradewind.batch.records"].histogram.data_points[0]
    assert tuple(histogram.explicit_bounds) == metrics.BATCH_RECORDS.bounds
    assert (histogram.count, histogram.sum) == (1, 300)


def test_a_collector_that_is_away_delays_an_end_by_seconds_at_most() -> None:
    """What was to be sent is given up."""
    begun = time.monotonic()
    with telemetry(settings_of(endpoint="http://127.0.0.1:1"), "market") as told:
        record(told)
        assert told.spans is not None
        told.spans.emit([EVENT], 1, 2, LABELS)
    assert time.monotonic() - begun < 10


def test_an_attribute_that_is_not_declared_is_refused() -> None:
    """The documentation would not name it, and nothing would bound it."""
    check_declared(metrics.TRANSACTIONS, {**LABELS, OUTCOME: "committed"})
    with pytest.raises(Undeclared, match=r"tradewind.transactions has no attributes \['messaging.destination.name'\]"):
        check_declared(metrics.TRANSACTIONS, {**LABELS, TOPIC: "market.ticks"})


def test_names_are_unique_and_histograms_alone_have_bounds() -> None:
    """Bounds ascend; names are OpenTelemetry's or ours."""
    names = [metric.name for metric in metrics.METRICS]
    assert len(set(names)) == len(names)
    for metric in metrics.METRICS:
        assert metric.name.startswith(("tradewind.", "messaging."))
        assert bool(metric.bounds) == (metric.kind is metrics.Instrument.HISTOGRAM)
        assert list(metric.bounds) == sorted(metric.bounds)
