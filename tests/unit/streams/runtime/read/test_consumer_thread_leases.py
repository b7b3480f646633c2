"""The consumer's thread delivers what was fetched under a lease that was placed, from there on, and nothing else."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer.fetcher import FetchError
from aiokafka.errors import ConsumerStoppedError, OffsetOutOfRangeError, TopicAuthorizationFailedError
from faust.transport.drivers import aiokafka as driver
from runtime.fake_faust import ONE, TOPIC, ZERO, Place

from tradewind.streams.runtime.errors import LeaseRefused, Superseded
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.read import consumer_thread
from tradewind.streams.runtime.read.transport import Listener
from tradewind.streams.runtime.timings import USUAL


@pytest.fixture
async def place() -> Place:
    """Give them."""
    return Place()


async def test_an_assignment_is_taken_as_a_lease(place: Place) -> None:
    """As it is at that moment."""
    lease = place.granted()
    assert (lease.group, lease.generation, lease.member) == ("t.tradewind.a", 3, "m")
    assert lease.partitions == {(TOPIC, 0), (TOPIC, 1)}
    place.kafka._coordinator.generation = 4
    assert lease.generation == 3
    assert place.failures == []


@pytest.mark.parametrize(("generation", "member"), [(-1, "m"), (3, "")])
async def test_a_lease_that_the_broker_would_not_check_stops_the_worker(
    place: Place, generation: int, member: str
) -> None:
    """It is told in the main event loop, and there is no lease to read or commit under."""
    place.kafka._coordinator.generation, place.kafka._coordinator.member_id = generation, member
    place.thread.grant()
    assert place.thread.lease is None
    assert place.failures == []
    await asyncio.sleep(0)
    (refused,) = place.failures
    assert isinstance(refused, LeaseRefused)


async def test_a_lease_begins_and_ends_before_faust_hears_of_the_rebalance(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing is delivered under a lease that is over, and the worker finds the one that begins."""
    heard: list[tuple[str, Lease | None]] = []

    async def assigned(self: Any, partitions: Any) -> None:
        heard.append(("assigned", place.thread.lease))

    faust = driver.ConsumerRebalanceListener
    monkeypatch.setattr(faust, "on_partitions_revoked", lambda self, _: heard.append(("revoked", place.thread.lease)))
    monkeypatch.setattr(faust, "on_partitions_assigned", assigned)
    listener = place.thread._rebalance_listener
    assert type(listener) is Listener
    await listener.on_partitions_assigned([ZERO, ONE])
    lease = place.thread.lease
    listener.on_partitions_revoked([ZERO, ONE])
    assert lease is not None
    assert heard == [("assigned", lease), ("revoked", None)]


async def test_nothing_is_delivered_before_the_seek_or_after_the_lease(place: Place) -> None:
    """It takes a grant, a place under that lease, and Faust's queues open; without one of them there is nothing."""
    place.thread.wanted.update({(TOPIC, 0), (TOPIC, 1)})
    place.kafka._subscription.seek(ZERO, 0)
    place.kafka._subscription.seek(ONE, 0)
    place.kafka.fetches(ZERO, 0, 3)
    assert place.drained() == []
    lease = place.granted()
    assert place.drained() == []
    place.thread.allow()
    assert place.drained() == [], "not placed"
    await place.thread.place(lease, 1, {(TOPIC, 0): 0, (TOPIC, 1): 0})
    assert place.drained() == [], "Faust's queues are shut"
    place.thread.allow()
    place.thread.revoke()
    assert place.drained() == [], "the lease is over"
    again = place.granted()
    place.thread.allow()
    assert place.drained() == [], "the new one was not placed"
    await place.thread.place(again, 2, {(TOPIC, 0): 0, (TOPIC, 1): 0})
    place.thread.allow()
    (chunk,) = place.drained()
    assert (chunk.lease, chunk.epoch, chunk.start, chunk.next) == (again, 2, 0, 3)
    assert chunk.records.offsets.tolist() == [0, 1, 2]
    place.kafka.fetches(ONE, 0, 3)
    place.granted()
    assert place.drained() == [], "another lease, though nobody has said that the last one is over"


async def test_a_place_seeks_every_partition_and_begins_an_epoch(place: Place) -> None:
    """What was fetched for the position before is dropped, and never delivered under the new epoch."""
    lease = await place.reading(at=5)
    place.kafka.fetches(ZERO, 5, 4)
    await place.thread.place(lease, 2, {(TOPIC, 0): 2, (TOPIC, 1): 0})
    assert place.kafka.sought[2:] == [(ZERO, 2), (ONE, 0)]
    assert place.drained() == []
    assert place.kafka._fetcher._records == {}
    place.kafka.fetches(ZERO, 2, 4)
    (chunk,) = place.drained()
    assert (chunk.epoch, chunk.start, chunk.next) == (2, 2, 6)


async def test_a_place_is_refused_under_another_lease(place: Place) -> None:
    """The one that it was meant for has ended: nothing is sought."""
    first = place.granted()
    second = place.granted()
    with pytest.raises(Superseded):
        await place.thread.place(first, 1, {(TOPIC, 0): 0})
    place.thread.revoke()
    with pytest.raises(Superseded):
        await place.thread.place(second, 1, {(TOPIC, 0): 0})
    assert place.kafka.sought == []


async def test_what_was_fetched_under_an_assignment_that_is_over_is_dropped(place: Place) -> None:
    """It is kept until somebody asks."""
    await place.reading()
    place.kafka.fetches(ZERO, 0, 3)
    fetched = place.kafka._fetcher._records[ZERO]
    place.kafka._subscription.subscription._reassignment_in_progress = True
    place.kafka._subscription.assign_from_subscribed([ZERO, ONE])
    assert place.thread._records(place.kafka._fetcher, ZERO, fetched) is None
    assert place.kafka._fetcher._records == {}


async def test_a_partition_is_delivered_only_where_it_is_wanted(place: Place) -> None:
    """Each chunk uses the wish up; the others go on."""
    await place.reading()
    place.thread.wanted = {(TOPIC, 1)}
    place.kafka.fetches(ZERO, 0, 3)
    place.kafka.fetches(ONE, 0, 2)
    assert [chunk.source for chunk in place.drained()] == [(TOPIC, 1)]
    assert place.thread.wanted == set()
    place.thread.wanted.add((TOPIC, 0))
    assert [(chunk.source, len(chunk.records)) for chunk in place.drained()] == [((TOPIC, 0), 3)]


async def test_a_large_fetch_is_delivered_in_parts(place: Place) -> None:
    """Each begins where the one before ended; the consumer's position follows them."""
    place.app.chunk_records = 2
    await place.reading()
    place.kafka.fetches(ZERO, 0, 5)
    chunks = []
    for _ in range(4):
        chunks += place.drained()
        place.thread.wanted.add((TOPIC, 0))
    assert [(chunk.start, chunk.next) for chunk in chunks] == [(0, 2), (2, 4), (4, 5)]
    assert place.kafka._fetcher._records == {}


async def test_taking_waits_for_the_first_chunk(place: Place) -> None:
    """Woken where something is wanted again, or where something was fetched; else it gives nothing after a while."""
    await place.reading()
    assert await place.thread.take(0.01) == []
    await asyncio.sleep(0)
    assert place.kafka._fetcher._fetch_waiters == set()
    place.thread.wanted.clear()
    place.kafka.fetches(ZERO, 0, 3)
    taking = asyncio.ensure_future(place.thread.take(10))
    await asyncio.sleep(0.01)
    assert not taking.done()
    place.thread.wanted.add((TOPIC, 0))
    place.thread.wake()
    assert [chunk.next for chunk in await asyncio.wait_for(taking, 30)] == [3]


async def test_records_are_gone_for_whoever_still_has_the_partition_after_a_session(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was frozen, and expelled, hears of retention first; other partitions are read meanwhile."""
    now = [100.0]
    monkeypatch.setattr(consumer_thread, "time", SimpleNamespace(monotonic=lambda: now[0]))
    gone = FetchError(error=OffsetOutOfRangeError({ZERO: 0}), backoff=0)
    for ended in (True, False):
        lease = await place.reading()
        place.kafka._fetcher._records[ZERO] = gone
        place.kafka.fetches(ONE, 0, 2)
        assert [chunk.source for chunk in place.drained()] == [(TOPIC, 1)]
        now[0] += USUAL.session_s
        assert place.drained() == []
        if ended:
            place.thread.revoke()
            now[0] += 1.0
            assert place.drained() == []
        else:
            await place.thread.place(lease, 2, {(TOPIC, 0): 0, (TOPIC, 1): 2})
            place.kafka._fetcher._records[ZERO] = gone
            now[0] += 1.0
            assert place.drained() == [], "placed anew, it is asked for anew"
    now[0] += USUAL.session_s + 0.1
    with pytest.raises(OffsetOutOfRangeError):
        place.drained()
    assert place.kafka._fetcher._records == {}


async def test_what_ends_fetching_is_raised(place: Place) -> None:
    """A consumer that is closed, a member that may not be one, a fetch that failed."""
    await place.reading()
    place.kafka._fetcher._records[ZERO] = FetchError(error=TopicAuthorizationFailedError(TOPIC), backoff=0)
    with pytest.raises(TopicAuthorizationFailedError):
        await place.thread.take(10)
    assert place.kafka._fetcher._records == {}
    place.kafka._fetcher.error_future.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await place.thread.take(10)

    def refused() -> None:
        raise PermissionError

    place.kafka._coordinator.check_errors = refused
    with pytest.raises(PermissionError):
        await place.thread.take(10)
    place.kafka._closed = True
    with pytest.raises(ConsumerStoppedError):
        await place.thread.take(10)


async def test_taking_is_no_sign_of_life_and_attending_is(place: Place) -> None:
    """What aiokafka calls idle, after which it leaves the group, is the time since the worker has last attended."""
    await place.reading()
    subscription = place.kafka._subscription
    subscription._last_fetch_ended -= 100
    place.kafka.fetches(ZERO, 0, 3)
    taking = asyncio.ensure_future(place.thread.take(0.05))
    await asyncio.sleep(0)
    assert subscription.fetcher_idle_time >= 100
    assert await taking
    assert subscription.fetcher_idle_time >= 100
    place.thread.attend()
    await asyncio.sleep(0)
    assert subscription.fetcher_idle_time < 50
    place.thread._consumer = None
    place.thread.attend()
    await asyncio.sleep(0)


async def test_the_consumer_is_set_up_for_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust's own has other values for most of these, and no way to say so."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", lambda **options: made.update(options))
    place.thread._create_worker_consumer(None)
    (assignor,) = made.pop("partition_assignment_strategy")
    assert made.pop("auto_offset_reset") == "none"
    assert made == {
        "bootstrap_servers": ["127.0.0.1:1"],
        "security_protocol": "PLAINTEXT",
        "client_id": place.app.conf.broker_client_id,
        "group_id": "t.tradewind.a",
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": 100,
        "fetch_max_bytes": 8 * 1024 * 1024,
        "max_partition_fetch_bytes": 1024 * 1024,
        "metadata_max_age_ms": 5_000,
        "max_poll_interval_ms": 60_000,
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 3_000,
        "rebalance_timeout_ms": 20_000,
    }
    topics = ["t.market.ticks", "t.market.quotes", "t.a.redrive"]
    cluster = SimpleNamespace(partitions_for_topic=lambda topic: set(range(8)))
    shares = assignor.assign(cluster, {f"m{number}": assignor.metadata(topics) for number in range(3)})
    owned = [dict(share.assignment) for share in shares.values()]
    for share in owned:
        assert share[topics[0]] == share[topics[1]] == share[topics[2]], "a task's inputs go together"
    assert sorted(number for share in owned for number in share[topics[0]]) == list(range(place.app.tasks))
