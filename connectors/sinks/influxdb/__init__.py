"""InfluxDB as a store: ticks, trades and bars as line protocol, for InfluxDB 2 and the same endpoint of InfluxDB 3."""

from tradewind.connectors.sinks.influxdb.sink import InfluxDbSink

__all__ = ["InfluxDbSink"]
