"""Alerts of watchdogs: one id for one complaint, and nobody waits for the broker."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from runtime.records import CODEC, NOWHERE

from tradewind.connectors.watchdogs.alerts import QUEUED, Alerts, alert_of, over_of
from tradewind.connectors.watchdogs.watchdog import Stuck

POSITION = Stuck("position", 100.0, ("t.market.ticks", 3), 17, 4)
BROKER = Stuck("broker", 100.0)


def test_a_position_that_stands_is_one_alert_whoever_says_so() -> None:
    """Another worker, later, with more behind it; another position is another alert."""
    first = alert_of(POSITION, "g", 1_000, 5_000, "it stands")
    again = alert_of(replace(POSITION, since_s=500.0, behind=9), "g", 2_000, 6_000, "it stands")
    moved = alert_of(replace(POSITION, at=18), "g", 1_000, 5_000, "it stands")
    assert first.event_id == again.event_id != moved.event_id
    assert (first.group, first.topic, first.partition, first.since) == ("g", "t.market.ticks", 3, 1_000)
    assert (first.code, first.severity, first.source) == ("WATCHDOG_POSITION", "CRITICAL", "g")


def test_a_complaint_of_several_partitions_is_one_alert_whichever_they_are() -> None:
    """What is in hand may change while the complaint holds; the alert has what they share, its message has all."""
    restore = Stuck("restore", 100.0, among=(("t.a.changelog", 1), ("t.a.changelog", 3)))
    both, one, other = (
        alert_of(replace(restore, among=of), "g", 1_000, 5_000, "it hangs")
        for of in (restore.among, restore.among[1:], (*restore.among, ("t.x", 0)))
    )
    assert both.event_id == one.event_id == other.event_id
    assert (both.topic, both.partition) == ("t.a.changelog", None)
    assert (one.topic, one.partition) == ("t.a.changelog", 3)
    assert (other.topic, other.partition) == (None, None)


def test_the_end_of_a_complaint_names_its_begin() -> None:
    """Complaints without a position are told apart by when they began."""
    begun = alert_of(BROKER, "g", 1_000, 5_000, "silent")
    over = over_of(begun, 8_001_000)
    assert begun.event_id != alert_of(BROKER, "g", 1_001, 5_000, "silent").event_id
    assert (over.causation_id, over.severity, over.code) == (begun.event_id, "INFO", "WATCHDOG_BROKER_OVER")
    assert (over.event_id != begun.event_id, over.ts_event, begun.ts_event) == (True, 8_001_000, 1_000)
    assert (over.since, over.correlation_id, over.message) == (1_000, begun.event_id, "over, after 8 s: silent")
    assert CODEC.decode(CODEC.encode(over)) == over


def test_without_a_broker_alerts_wait_and_more_than_fit_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Never the watch, and an end takes a second at most."""
    alerts = Alerts(NOWHERE, CODEC)
    begun = time.monotonic()
    for number in range(QUEUED + 3):
        alerts.publish(alert_of(replace(POSITION, at=number), "g", 1, 2, f"alert {number}"))
        alerts.tend()
    assert time.monotonic() - begun < 5
    lost = [record.getMessage() for record in caplog.records if "an alert is not published" in record.getMessage()]
    assert len(lost) == 3
    assert f"alert {QUEUED}" in lost[0]
    begun = time.monotonic()
    alerts.close()
    assert time.monotonic() - begun < 5
