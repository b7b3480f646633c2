"""The declared metrics as OpenTelemetry's instruments: histograms are recorded, everything else is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from opentelemetry.metrics import CallbackOptions, Histogram, Meter, Observation

from tradewind.connectors.telemetry.metrics import METRICS, Instrument, Metric

Attributes = Mapping[str, str]
Points = Iterable[tuple[float, Attributes]]
Source = Callable[[Metric], Points]
"""Tells what a counter or gauge is now; nothing where it is another's. Called by other threads, when somebody looks."""


class Undeclared(ValueError):
    """A value came with attributes that its metric does not declare."""


class Instruments:
    """Records histograms, and asks sources for counters and gauges whenever metrics are scraped or sent."""

    def __init__(self, meter: Meter) -> None:
        self._sources: list[Source] = []
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS:
            name, unit, text = metric.name, metric.unit, metric.description
            if metric.kind is Instrument.HISTOGRAM:
                self._histograms[name] = meter.create_histogram(
                    name, unit, text, explicit_bucket_boundaries_advisory=metric.bounds
                )
            elif metric.kind is Instrument.COUNTER:
                meter.create_observable_counter(name, [self._asking(metric)], unit, text)
            else:
                meter.create_observable_gauge(name, [self._asking(metric)], unit, text)

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """Add a value to a histogram; some 20 µs, so once per batch. Attributes are those that the metric declares."""
        self._histograms[metric.name].record(value, attributes)

    def add_source(self, source: Source) -> None:
        """Have a source asked from now on."""
        self._sources.append(source)

    def _asking(self, metric: Metric) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def ask(_: CallbackOptions) -> Iterator[Observation]:
            for source in list(self._sources):
                for value, attributes in source(metric):
                    check_declared(metric, attributes)
                    yield Observation(value, attributes)

        return ask


def check_declared(metric: Metric, attributes: Attributes) -> None:
    """Raise `Undeclared` where a value carries an attribute that its metric does not have."""
    if unknown := attributes.keys() - set(metric.attributes):
        raise Undeclared(f"{metric.name} has no attributes {sorted(unknown)}: declare them in metrics.py")
