"""`ai health`: failures are those of the breakers, and times are those of answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from tradewind.infra.cli.ai import health as module
from tradewind.infra.cli.ai.health import health, row
from tradewind.processors.health.calls import merged

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def ended(outcome: str, calls: int, minute: int = 0, key: str = "K") -> dict[str, Any]:
    """Return a row of the query."""
    return {
        "provider": "one", "model": "m", "key_id": key, "outcome": outcome, "calls": calls,
        "last": NOON.replace(minute=minute), "took_us": [250_000.0, 900_000.0],
    }  # fmt: skip


ROWS: list[Mapping[str, Any]] = [
    ended("BUSY", 3, 5),
    ended("FILTERED", 4, 9),
    ended("OK", 12, 9),
    ended("TIMED_OUT", 1, 7),
    ended("LOST", 1, 9),
    ended("BAD_KEY", 2, 1, key=""),
]


def test_failures_are_those_of_the_breakers() -> None:
    """A filter, or a caller that died, is no failure of a provider."""
    first, second = merged(ROWS)
    assert (first.calls, first.failed, first.p50_ms, first.p95_ms) == (21, 4, 250.0, 900.0)
    assert (first.last_failure, first.last_failed) == ("TIMED_OUT", NOON.replace(minute=7))
    assert first.outcomes == {"BUSY": 3, "FILTERED": 4, "OK": 12, "TIMED_OUT": 1, "LOST": 1}
    assert (second.calls, second.failed, second.p50_ms, second.last_failure) == (2, 2, None, "BAD_KEY")
    assert row(first) == ("one", "m", "K", "21", "19.0%", "250", "900", "TIMED_OUT at 2026-11-30 12:07:00")
    assert row(second)[2:7] == ("none needed", "2", "100.0%", "", "")


def test_health_is_shown_as_a_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is an answer, too."""
    rows = list(ROWS)

    async def found(_settings: object, _hours: int) -> list[Mapping[str, Any]]:
        return rows

    monkeypatch.setattr(module, "_ended", found)
    assert "19.0%" in CliRunner().invoke(health, []).output
    told = json.loads(CliRunner().invoke(health, ["--hours", "2", "--json"]).output)
    assert told["hours"] == 2
    assert told["models"][1]["key"] is None
    assert told["models"][0]["last_failed"] == "2026-11-30T12:07:00+00:00"
    rows.clear()
    assert "no call ended within 1 h" in CliRunner().invoke(health, []).output
