"""A feed outlives its broker: killed in the middle, it comes back, and nothing is lost or doubled."""

from __future__ import annotations

import time
from threading import Event, Thread

from harness.distribution import own_brokers

from tradewind.connectors.feeds import Simulator
from tradewind.connectors.feeds.publishing.run import FeedReport, run_feed
from tradewind.connectors.kafka import read
from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.topics import TICKS

AFTER_S = 90  # a broker that was killed is back in 5 to 13 s, its transactions some 10 s later


@own_brokers
def test_a_feed_goes_on_after_its_broker_was_killed(settings: Settings, broker: Kafka) -> None:
    """The transaction in flight is settled by the position that Kafka kept."""
    settings = settings.model_copy(update={"kafka": KafkaSettings(bootstrap=broker.bootstrap)})
    stop, reports, failures = Event(), [FeedReport("", 0)], []

    def run() -> None:
        try:
            reports.append(
                run_feed(Simulator(seed=3, rate=2000, sessions=False), settings, stop=stop, on_progress=reports.append)
            )
        except Exception as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    feed = Thread(target=run)
    feed.start()
    try:
        deadline = time.monotonic() + AFTER_S
        while reports[-1].position < 4000 and time.monotonic() < deadline and not failures:
            time.sleep(0.1)
        assert not failures
        assert reports[-1].position >= 4000
        broker.servers[0].kill()
        broker.start()
        deadline = time.monotonic() + AFTER_S
        before = reports[-1].position
        while reports[-1].position < before + 2000 and time.monotonic() < deadline and not failures:
            time.sleep(0.1)
    finally:
        stop.set()
        feed.join(AFTER_S)
    assert failures == []
    found = read(TICKS, settings=settings).sort("seq")
    assert found["seq"].to_list() == list(range(1, reports[-1].position + 1))
