"""The telemetry of one process, as its settings ask for it; without any, nothing is recorded and nothing is loaded."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.health import Health

if TYPE_CHECKING:  # OpenTelemetry takes 0.2 s and some 20 MB: processes without telemetry do without it
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

    from tradewind.connectors.telemetry.instruments import Instruments, Points
    from tradewind.connectors.telemetry.metrics import Metric
    from tradewind.connectors.telemetry.spans import Spans

STANDARD_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORT_EVERY_MS = 15_000  # metrics by OTLP
QUEUED_SPANS = 4_096  # that wait to be sent; more are dropped, and OpenTelemetry's log says so
SEND_S = 2.0  # for one request: a collector that is away must not hold up the end of a process
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a process records to, and what it says of itself."""

    health: Health = field(default_factory=Health)
    instruments: Instruments | None = None
    """None where nobody asked for metrics."""
    spans: Spans | None = None
    """None where nobody asked for traces."""
    url: str | None = None
    """Where `/metrics`, `/live` and `/ready` answer; None where they do not."""


@contextmanager
def telemetry(settings: Settings, service: str) -> Iterator[Telemetry]:
    """Give the telemetry of a process while the body runs; what is queued is sent at its end, for some seconds."""
    endpoint = otlp_endpoint(settings)
    if not settings.metrics.port and endpoint is None:
        yield Telemetry()
        return
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above

    from tradewind.connectors.telemetry.instruments import Instruments  # noqa: PLC0415

    health = Health()
    resource = Resource.create({"service.name": f"tradewind-{service}", "service.namespace": _namespace(settings)})
    with ExitStack() as stack:
        readers: list[MetricReader] = []
        url = _serve(settings, health, readers, stack) if settings.metrics.port else None
        spans = None if endpoint is None else _send(settings, endpoint, resource, readers, stack)
        instruments = Instruments(_meter(readers, resource, stack))
        instruments.add_source(lambda metric: _readiness(metric, health))
        yield Telemetry(health, instruments, spans, url)


def otlp_endpoint(settings: Settings) -> str | None:
    """Return where OTLP is sent, if anywhere; our own variable wins over the standard one."""
    return settings.otlp.endpoint or os.environ.get(STANDARD_ENDPOINT) or None


def _namespace(settings: Settings) -> str:
    return settings.namespace.rstrip(".") or "tradewind"


def _serve(settings: Settings, health: Health, readers: list[MetricReader], stack: ExitStack) -> str | None:
    """Listen for scrapes; where the port is taken say so and go on: trading does not stop for want of metrics."""
    from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector  # noqa: PLC0415

    from tradewind.connectors.telemetry.server import Endpoint  # noqa: PLC0415

    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    readers.append(PrometheusMetricReader(registry=registry, scope_info_enabled=False))
    part = settings.metrics
    try:
        endpoint = Endpoint(part.host, part.port, registry, health)
    except OSError as error:
        log.error(  # noqa: TRY400 - the message says it all
            "no metrics: cannot listen on port %d of %s (%s): end the process there, or set TRADEWIND_METRICS__PORT",
            part.port,
            part.host,
            error,
        )
        return None
    stack.callback(endpoint.close)
    log.info("metrics, /live and /ready at %s", endpoint.url)
    return endpoint.url


def _send(
    settings: Settings, endpoint: str, resource: Resource, readers: list[MetricReader], stack: ExitStack
) -> Spans:
    """Send metrics and spans by OTLP over HTTP."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from tradewind.connectors.telemetry.spans import Spans  # noqa: PLC0415

    base = endpoint.rstrip("/")
    readers.append(
        PeriodicExportingMetricReader(OTLPMetricExporter(f"{base}/v1/metrics", timeout=SEND_S), EXPORT_EVERY_MS)
    )
    processor = BatchSpanProcessor(OTLPSpanExporter(f"{base}/v1/traces", timeout=SEND_S), QUEUED_SPANS)
    stack.callback(processor.shutdown)
    log.info("metrics and traces go to %s by OTLP, %.1f %% of the traces", base, 100 * settings.otlp.sample_ratio)
    return Spans(processor, resource, settings.otlp.sample_ratio)


def _meter(readers: list[MetricReader], resource: Resource, stack: ExitStack) -> Meter:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415

    provider = MeterProvider(readers, resource, shutdown_on_exit=False)
    stack.callback(provider.shutdown, SEND_S * 1000)
    return provider.get_meter("tradewind")


def _readiness(metric: Metric, health: Health) -> Points:
    from tradewind.connectors.telemetry.metrics import READY  # noqa: PLC0415

    return [(float(not health.not_ready()), {})] if metric is READY else []
