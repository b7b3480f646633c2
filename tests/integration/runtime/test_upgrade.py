"""Workers are replaced by a version whose state has fields more, under load: nothing is lost, doubled or forgotten.

Both versions are of `runtime/versions.py`. What each passes on carries its mark, and the newer one's a number that its
new field counts: where an older worker had written a newer state back, the numbers would begin again.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Self

import pytest
from confluent_kafka.admin import AdminClient
from runtime.cluster import WAIT_S, Cluster, Worker, ticks, until
from runtime.timings import CALM
from runtime.versions import AGENTS, MARK, TallyB, codec_of

from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Tick
from tradewind.streams.replay import verify
from tradewind.streams.runtime import group_of
from tradewind.topics import LATE_TICKS, TICKS

A, B = AGENTS["a"], AGENTS["b"]
SYMBOLS = tuple(f"S{number:02}" for number in range(12))  # some in each partition
TICKS_AT_ONCE, PAUSE_S = 12, 0.03  # 400 ticks/s
PROGRAM = "versions.py"
NEWER = "a newer version has written its state"
MIGRATED = "the state went through migrations up to 1"


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Give a namespace of the test's own; this process is one of the newer version."""
    own = Cluster(settings, tmp_path, codec_of("b", monkeypatch.setattr), CALM)
    own.create(B)
    yield own
    own.close()


class Load:
    """Ticks that are published, a few at a time, until it is closed."""

    def __init__(self, cluster: Cluster) -> None:
        self.count = 0
        self._cluster = cluster
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _publish(self) -> None:
        while not self._ended.wait(PAUSE_S):
            self._cluster.publish(TICKS, ticks(TICKS_AT_ONCE, self.count, SYMBOLS))
            self.count += TICKS_AT_ONCE

    def goes_on(self, seconds: float = 0.5) -> None:
        """Let some of it come."""
        time.sleep(seconds)
        assert self._thread.is_alive()


def says(worker: Worker, text: str) -> bool:
    """Tell whether a worker's log has a text."""
    return text in worker.log.read_text("utf-8", "replace")


def versions_in_group(cluster: Cluster) -> int:
    """Return how many different names members have: each version has one."""
    name = group_of(B, cluster.settings)
    admin = AdminClient(cluster.settings.librdkafka())
    told = admin.describe_consumer_groups([name], request_timeout=WAIT_S)[name].result(WAIT_S)
    return len({member.client_id for member in told.members})


def assert_whole(cluster: Cluster, count: int) -> None:
    """Fail unless each tick came out once and in order, and state is what a recomputation gives, new fields too."""
    outputs: dict[str, list[Tick]] = {symbol: [] for symbol in SYMBOLS}
    for event in cluster.read(LATE_TICKS):
        assert isinstance(event, Tick)
        outputs[event.symbol].append(event)
    expected: dict[str, TallyB] = {}
    for number, (symbol, passed) in enumerate(outputs.items()):
        assert [tick.seq for tick in passed] == list(range(number, count, len(SYMBOLS))), symbol
        assert [mark for mark, _ in groupby(tick.bid for tick in passed)] == [MARK["a"], MARK["b"]], symbol
        fresh = [tick.ask for tick in passed if tick.bid == MARK["b"]]
        assert fresh == [float(at) for at in range(1, len(fresh) + 1)], symbol
        total = sum(tick.seq for tick in passed)
        expected[symbol] = TallyB(symbol=symbol, count=len(passed), total=total, weight=2 * total, fresh=len(fresh))
    kept = [cluster.codec.decode(value) for task in cluster.state(B).values() for value in task.raw.values()]
    assert {value.symbol: value for value in kept if isinstance(value, TallyB)} == expected


def assert_verified(cluster: Cluster) -> None:
    """Fail unless all that the newer version did, the migration first, is the same when it is done again."""
    for partition in range(B.partitions):
        found = verify(lambda _: B, cluster.settings, cluster.codec, partition)
        assert found.equal, found.text()
        assert any("made by a version that writes state in format" in note for note in found.notes), found.text()


def finish(cluster: Cluster, workers: list[Worker], count: int) -> None:
    """Wait until all is processed, end the workers, and check everything."""
    until(lambda: cluster.caught_up(B), "all processed")
    for worker in workers:
        assert worker.stop() == 0
    assert_whole(cluster, count)
    assert_verified(cluster)


def test_workers_are_replaced_one_by_one_under_load(cluster: Cluster) -> None:
    """One is asked to end, one is killed; no older worker is given a task that a newer one has had."""
    old = [cluster.start("a", program=PROGRAM) for _ in range(2)]
    new: list[Worker] = []
    with Load(cluster) as load:
        for worker in old:
            worker.wait_ready()
        load.goes_on()
        while old:
            leaving = old.pop()
            if not old:
                leaving.kill()
            else:
                assert leaving.stop() == 0
            new.append(cluster.start("b", program=PROGRAM))
            new[-1].wait_ready()
            if old:
                until(lambda: says(new[0], MIGRATED), "a state taken over")
                until(lambda: versions_in_group(cluster) == 2, "both versions in the group")
            load.goes_on()
            assert [worker.process.poll() for worker in old + new] == [None] * len(old + new)
    finish(cluster, new, load.count)


def test_an_older_worker_that_is_given_a_newer_state_stops_and_writes_nothing(cluster: Cluster) -> None:
    """It says what, where and what to do; a newer worker goes on with the task as it was left."""
    old, new = (cluster.start("a", program=PROGRAM) for _ in range(2))
    with Load(cluster) as load:
        old.wait_ready()
        new.wait_ready()
        load.goes_on()
        assert new.stop() == 0
        new = cluster.start("b", program=PROGRAM)
        new.wait_ready()
        until(lambda: says(new, MIGRATED), "a state taken over")
        load.goes_on()
        assert new.stop() == 0
        assert old.process.wait(WAIT_S) == 1
        assert says(old, NEWER)
        assert says(old, "Replace it by a worker of the newer version")
        last = [cluster.start("b", program=PROGRAM)]
        last[0].wait_ready()
    finish(cluster, last, load.count)


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_of_joining_and_leaving_during_an_upgrade_loses_nothing(
    cluster: Cluster, seed: int, evidence: Callable[[int, Mapping[str, int]], None]
) -> None:
    """Newer workers are killed too, so that tasks come back to older ones, which stop and are started again."""
    chance = random.Random(seed)
    workers = [cluster.start("a", program=PROGRAM) for _ in range(3)]
    with Load(cluster) as load:
        for worker in workers:
            worker.wait_ready()
        load.goes_on()
        for step in range(8):
            leaving = workers.pop(chance.randrange(len(workers)))
            with contextlib.suppress(ProcessLookupError):
                chance.choice((leaving.kill, leaving.process.terminate))()
            leaving.process.wait(WAIT_S)
            ended = [worker for worker in workers if worker.process.poll() is not None]
            assert all(says(worker, NEWER) for worker in ended)
            workers = [worker for worker in workers if worker not in ended]
            while len(workers) < 3:
                workers.append(cluster.start("b" if chance.random() < step / 6 else "a", program=PROGRAM))
            load.goes_on(chance.uniform(1, 4))
        last = cluster.start("b", program=PROGRAM)
        last.wait_ready()
        for worker in workers:
            worker.kill()
        load.goes_on(CALM.session_s + 2)
    finish(cluster, [last], load.count)
    evidence(seed, {"replacements": 8, "ticks": load.count})
