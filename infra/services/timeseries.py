"""Which time-series store a data folder's processes write to: the embedded QuestDB, or an external store."""

from __future__ import annotations

from pathlib import Path

from tradewind.connectors.settings import ServiceNotConfigured, Settings
from tradewind.connectors.timeseries.product import Kind, kind_of
from tradewind.infra.services import endpoints


def chosen(settings: Settings, data: Path) -> Kind:
    """Return the product; raises `ServiceNotConfigured` if an InfluxDB is wanted and none is named."""
    if "influx" in endpoints.external(settings, data):
        return kind_of(settings.influx)
    if settings.influx.kind == "influxdb":
        raise ServiceNotConfigured(
            "TRADEWIND_INFLUX__KIND is influxdb, and none is embedded: set TRADEWIND_INFLUX__URL, __TOKEN, __ORG and "
            "__BUCKET, or leave the kind out"
        )
    return "questdb"
