"""A complaint is said once and its end once, to the log and as an alert that its end belongs to."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from runtime.records import CODEC, NOWHERE

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import WatchdogSettings
from tradewind.connectors.telemetry.health import Health
from tradewind.connectors.watchdogs import watch as watch_module
from tradewind.connectors.watchdogs.watch import LOOK_S, Watch, watched
from tradewind.connectors.watchdogs.watchdog import Seen, Stuck
from tradewind.schemas.notifications import Alert
from tradewind.streams.runtime.agent import Agent, redrive_topic
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.watch.observer import Observer
from tradewind.topics import LATE_TICKS, TICKS

AGENT = Agent("watched", (TICKS,), (LATE_TICKS,), lambda state, segment: [])
HERE: TopicPartition = ("t.market.ticks", 2)


class Watched:
    """A worker, as the watch asks for it."""

    inputs = (*AGENT.inputs, redrive_topic(AGENT))
    group = "g"

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}
        self.ends: list[Any] = []
        self.complaints: list[tuple[Stuck, ...]] = []

    def seen(self, at_s: float, ends: Any) -> Seen:
        self.ends.append(ends)
        return Seen(at_s, dict(self.positions), ends)

    def complain(self, stuck: tuple[Stuck, ...]) -> None:
        self.complaints.append(stuck)


class Kafka:
    """Tells where partitions end, and takes alerts."""

    def __init__(self, *_: object) -> None:
        self.ends: dict[TopicPartition, int] = {HERE: 9}
        self.asked: list[Any] = []
        self.published: list[Alert] = []
        self.tended = 0
        self.closed = 0

    def known(self, partitions: list[TopicPartition], which: str) -> dict[TopicPartition, int]:
        self.asked.append((partitions, which))
        return self.ends

    def publish(self, alert: Alert) -> None:
        self.published.append(alert)

    def tend(self) -> None:
        self.tended += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """Give what stands for Kafka."""
    found = Kafka()

    def offsets(*options: object) -> Kafka:
        assert len(options) == 1, "ends of what is committed, which `Offsets` tells unless asked for others"
        return found

    monkeypatch.setattr(watch_module, "Offsets", offsets)
    monkeypatch.setattr(watch_module, "Alerts", lambda *_: found)
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Give a monotonic clock that a test sets."""
    now = [1000.0]
    monkeypatch.setattr(watch_module.time, "monotonic", lambda: now[0])
    yield now
    monkeypatch.undo()


def watch_of(*observers: Watched, position_s: float = 60.0) -> Watch:
    """Return the watch of some workers, with one bound of its own."""
    bounds = WatchdogSettings(
        position_s=position_s, assignment_s=1000, transaction_s=1000, restore_s=1000, broker_s=1000
    )
    return Watch(observers, NOWHERE.model_copy(update={"watchdog": bounds}), CODEC)


def test_a_complaint_and_its_end_are_said_once(
    kafka: Kafka, clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """However long it holds; the worker is told at each look, and the alert says since when."""
    worker = Watched()
    worker.positions = {HERE: 5}
    watch = watch_of(worker)
    caplog.set_level(logging.WARNING)
    for clock[0] in (1000.0, 1059.0, 1060.0, 1062.0):
        watch._look()
    assert [len(of) for of in worker.complaints] == [0, 0, 1, 1]
    (alert,) = kafka.published
    assert (alert.group, alert.topic, alert.partition, alert.severity) == ("g", *HERE, "CRITICAL")
    assert clock_us() - alert.since == pytest.approx(60_000_000, abs=5_000_000)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "stands at 5 for 60 s with 4 to read" in caplog.text
    worker.positions = {HERE: 6}
    for clock[0] in (1064.0, 1066.0):
        watch._look()
    _, over = kafka.published
    assert (over.causation_id, over.severity) == (alert.event_id, "INFO")
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert kafka.tended == 6
    for clock[0] in (1200.0, 1260.0):
        watch._look()
    assert len(kafka.published) == 3, "it stands again, which is another complaint"


def test_a_complaint_that_holds_is_published_again_under_the_same_id(kafka: Kafka, clock: list[float]) -> None:
    """A worker that was frozen calls its own over when it wakes, though its successor complains of the same."""
    worker = Watched()
    worker.positions = {HERE: 5}
    watch = watch_of(worker)
    for clock[0] in (1000.0, 1060.0, 1100.0, 1120.0, 1121.0, 1180.0, 1182.0):
        watch._look()
    assert len({alert.event_id for alert in kafka.published}) == 1
    assert len(kafka.published) == 3
    worker.positions = {HERE: 9}
    watch._look()
    clock[0] += 100
    watch._look()
    assert [alert.severity for alert in kafka.published] == ["CRITICAL"] * 3 + ["INFO"], "nothing is said again then"


def test_every_input_of_every_worker_is_asked_for_and_silence_is_told_as_such(kafka: Kafka, clock: list[float]) -> None:
    """The redrive topic too; no answer at all is None, which the broker's watchdog knows."""
    one, other = Watched(), Watched()
    other.group = "h"
    watch = watch_of(one, other)
    watch._look()
    ((asked, which),) = kafka.asked
    names = [(name, partition) for name in ("t.market.ticks", "t.watched.redrive") for partition in range(4)]
    assert (asked, which) == (names * 2, "latest")
    kafka.ends = {}
    watch._look()
    assert one.ends == other.ends == [{HERE: 9}, None]


def test_a_short_bound_is_looked_after_more_often(kafka: Kafka) -> None:
    """Four times within it at least."""
    assert watch_of(Watched())._every_s == LOOK_S
    assert watch_of(Watched(), position_s=2.0)._every_s == 0.5


def test_a_watch_ends_when_it_is_closed_and_with_a_bug_of_its_own(
    kafka: Kafka, caplog: pytest.LogCaptureFixture
) -> None:
    """Its connections go with it; workers go on without."""
    watch = watch_of(Watched(), position_s=0.04)
    watch.start()
    while not kafka.tended:
        time.sleep(0.01)
    watch.close()
    assert not watch._thread.is_alive()
    assert watch._thread.daemon
    assert (kafka.closed, caplog.text) == (2, "")
    worker = Watched()
    broken = watch_of(worker, position_s=0.04)
    assert broken.reasons() == []
    kafka.ends = None  # type: ignore[assignment]
    kafka.known = None  # type: ignore[assignment, method-assign]
    worker.complaints.append((Stuck("broker", 1.0),))
    broken.start()
    broken._thread.join(30)
    assert kafka.closed == 4
    assert "a bug ended the watchdogs" in caplog.text
    assert worker.complaints[-1] == (), "nobody would take back what was said"
    (reason,) = broken.reasons()
    assert reason.startswith("a bug ended them (TypeError: 'NoneType' object is not callable)")
    assert "restart the process" in reason


def test_a_process_whose_watchdogs_have_ended_by_a_bug_is_not_ready(kafka: Kafka) -> None:
    """Workers go on; but what stands still would not be told from now on."""
    health = Health()
    observers: list[Observer] = []
    settings = NOWHERE.model_copy(update={"watchdog": WatchdogSettings(position_s=0.04)})
    with watched(observers, settings, CODEC, health):
        while not kafka.tended:
            time.sleep(0.01)
        assert health.not_ready() == {}
        known, kafka.known = kafka.known, None  # type: ignore[assignment, method-assign]
        begun = time.monotonic()
        while not health.not_ready() and time.monotonic() - begun < 10:
            time.sleep(0.01)
        ((name, (reason,)),) = health.not_ready().items()
        assert (name, "a bug ended them" in reason) == ("watchdogs", True)
    kafka.known = known  # type: ignore[method-assign]
    with watched(observers, settings, CODEC, health):
        assert health.not_ready() == {}, "the next workers of the process have watchdogs of their own"
