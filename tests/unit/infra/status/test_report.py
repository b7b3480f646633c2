"""`status` answers while Kafka or the registry are not ready yet: what was counted before, and why no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from rich.console import Console

from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.status import report as reports
from tradewind.infra.status.table import tables


@pytest.mark.parametrize(
    "error",
    [KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)), RegistryError("no answer from the registry")],
)
def test_what_cannot_be_counted_is_told_with_the_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In JSON and in the table, and the report is not one of a healthy platform."""

    def fails(*_: object, **__: object) -> None:
        raise error

    up = ServiceHealth("kafka", "127.0.0.1:1", healthy=True, version="4.3.1", detail="")
    monkeypatch.setattr(reports, "check", lambda *_: (up,))
    monkeypatch.setattr(reports, "_look", fails)
    found = reports.report(Settings(data=tmp_path, _env_file=None), tmp_path)
    assert not found.healthy
    told = json.loads(json.dumps(found.to_json()))
    assert str(error) in told["trouble"]
    assert (told["totals"]["ticks"], told["topics"], told["groups"]) == (0, [], [])
    console = Console(width=200)
    with console.capture() as shown:
        console.print(tables(found))
    assert "nothing could be counted" in shown.get()
