"""Workers are killed, frozen, joined and cut off from the broker: nothing is lost, nothing doubled, state included."""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from harness.distribution import own_brokers
from processes.scraping import lives, readiness, served
from runtime.agents import AGENTS
from runtime.cluster import Cluster, soon, ticks, until
from runtime.timings import SHORT

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.settings import KafkaSettings, Settings, WatchdogSettings
from tradewind.connectors.telemetry.process import telemetry
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.topics import ALERTS, LATE_TICKS, TICKS

SLOW, SUMS, COUNT = AGENTS["slow"], AGENTS["sums"], AGENTS["count"]
ALL_S = 120  # for sessions to expire, transactions to time out, and the work itself on a busy machine


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path, timings=SHORT)
    yield own
    own.close()


@pytest.mark.long  # as the two that follow: the suite does it all at once, in less time
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kill_9_at_random_moments(
    cluster: Cluster, seed: int, evidence: Callable[[int, Mapping[str, int]], None]
) -> None:
    """Two agents in one process, killed again and again between reading, processing, sending and committing."""
    chance = random.Random(seed)
    count = 30_000
    cluster.create(SLOW, SUMS)
    cluster.publish(TICKS, ticks(count))
    for _ in range(2):
        worker = cluster.start("slow", "sums")
        worker.wait_ready()
        time.sleep(chance.uniform(0.05, 1.0))
        worker.kill()
    last = cluster.start("slow", "sums")
    last.wait_ready()
    until(lambda: cluster.caught_up(SLOW) and cluster.caught_up(SUMS), "all processed", ALL_S)
    assert last.stop() == 0
    cluster.assert_exactly_once(count, LATE_TICKS, SLOW, SUMS)
    evidence(seed, {"kills": 2, "ticks": count})


@pytest.mark.long
def test_workers_join_and_leave_while_all_of_them_work(cluster: Cluster) -> None:
    """Every join and every leave takes all partitions from all (eager rebalance), some with a transaction in flight."""
    count = 60_000
    cluster.create(SLOW, SUMS)
    first = cluster.start("slow", "sums")
    first.wait_ready()
    cluster.publish(TICKS, ticks(count // 2))
    second = cluster.start("slow", "sums")
    second.wait_ready()
    cluster.publish(TICKS, ticks(count // 2, count // 2))
    time.sleep(1)
    assert first.stop() == 0
    third = cluster.start("slow", "sums")
    third.wait_ready()
    until(lambda: cluster.caught_up(SLOW) and cluster.caught_up(SUMS), "all processed", ALL_S)
    assert (second.stop(), third.stop()) == (0, 0)
    cluster.assert_exactly_once(count, LATE_TICKS, SLOW, SUMS)


@pytest.mark.long
def test_a_worker_frozen_past_its_session_commits_nothing_when_it_wakes(cluster: Cluster) -> None:
    """Its partitions have gone to another meanwhile; the zombie's transaction is fenced, and it joins again."""
    count = 60_000
    cluster.create(SLOW, SUMS)
    cluster.publish(TICKS, ticks(count // 2))
    zombie = cluster.start("slow", "sums")
    zombie.wait_ready()
    time.sleep(0.3)
    zombie.signal(signal.SIGSTOP)
    heir = cluster.start("slow", "sums")
    heir.wait_ready()
    time.sleep(SHORT.session_s)
    cluster.publish(TICKS, ticks(count // 2, count // 2))
    zombie.signal(signal.SIGCONT)
    until(lambda: cluster.caught_up(SLOW) and cluster.caught_up(SUMS), "all processed", ALL_S)
    assert (zombie.stop(), heir.stop()) == (0, 0)
    cluster.assert_exactly_once(count, LATE_TICKS, SLOW, SUMS)


@own_brokers
@pytest.mark.long
def test_the_broker_is_killed_and_comes_back(broker: Kafka, tmp_path: Path) -> None:
    """Workers outlive it: the transaction in flight is aborted or found committed, and they go on."""
    count = 60_000
    cluster = Cluster(
        Settings(_env_file=None, data=tmp_path, kafka=KafkaSettings(bootstrap=broker.bootstrap)), tmp_path
    )
    cluster.create(SLOW, SUMS)
    cluster.publish(TICKS, ticks(count))
    worker = cluster.start("slow", "sums")
    worker.wait_ready()
    time.sleep(0.5)
    (server,) = broker.servers
    server.kill()
    time.sleep(3)
    broker.start()
    until(lambda: cluster.caught_up(SLOW) and cluster.caught_up(SUMS), "all processed", ALL_S)
    assert worker.stop() == 0
    cluster.assert_exactly_once(count, LATE_TICKS, SLOW, SUMS)


@own_brokers
async def test_a_worker_without_its_broker_is_not_ready_until_it_is_back(broker: Kafka, tmp_path: Path) -> None:
    """It says why, lives on, and is ready again by itself; the alert waits for the broker, too."""
    bounds = WatchdogSettings(position_s=600, transaction_s=600, restore_s=600, broker_s=2)
    own = Settings(_env_file=None, data=tmp_path, kafka=KafkaSettings(bootstrap=broker.bootstrap), watchdog=bounds)
    told, url = served(own)
    cluster = Cluster(told, tmp_path)
    cluster.create(COUNT)
    ensure(told, (ALERTS,))
    with telemetry(told, "count") as found:
        async with cluster.running(COUNT, telemetry=found):
            await soon(lambda: readiness(url) == (200, {}), "ready")
            (server,) = broker.servers
            await asyncio.to_thread(server.stop)
            await soon(lambda: "the broker has not answered for" in str(readiness(url)), "not ready, and why")
            assert await asyncio.to_thread(lives, url)
            await asyncio.to_thread(broker.start)
            await soon(lambda: readiness(url) == (200, {}), "ready again", ALL_S)
            cluster.publish(TICKS, ticks(100))
            await soon(lambda: cluster.caught_up(COUNT), "it works on")
            await soon(lambda: codes(cluster)[-1:] == ["WATCHDOG_BROKER_OVER"], "alerts of its silence and its end")
    told_of = codes(cluster)
    assert told_of == ["WATCHDOG_BROKER", "WATCHDOG_BROKER_OVER"] * (len(told_of) // 2), "as often as it was silent"
    cluster.assert_exactly_once(100, None, COUNT)


def codes(cluster: Cluster) -> list[str | None]:
    """Return what alerts are of, in order: a broker that starts on a busy machine may be silent again."""
    return [alert.code for alert in cluster.alerts()]


@pytest.mark.long
def test_a_backlog_of_a_million_ticks_does_not_fill_the_memory(cluster: Cluster) -> None:
    """However much waits in Kafka, a worker holds a few fetches of it."""
    count = 1_000_000
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(count))
    worker = cluster.start("count")
    until(lambda: cluster.caught_up(COUNT), "all counted", ALL_S)
    assert worker.peak_memory_mb() < 300
    assert worker.stop() == 0
    cluster.assert_exactly_once(count, None, COUNT)
