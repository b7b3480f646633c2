"""What agents did on a real broker is done again from their journals, equal byte by byte; what was changed is found."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from days.ledger import read_orders
from days.recorded import WHOLE_EURUSD
from processes.pipeline import Pipeline
from runtime.agents import AGENTS
from runtime.cluster import WAIT_S, Cluster, delete_records, delivered, failing_commits, soon, ticks
from runtime.records import CODEC, NO_PRICE, beat
from runtime.replay import verified
from runtime.timings import CALM

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import DeadLetter, JournalEntry, TaskPosition
from tradewind.streams.agents import OURS
from tradewind.streams.runtime import Agent, RuntimeStopped, Sizes, agent_topics
from tradewind.streams.runtime.agent import (
    POSITION_KEY,
    changelog_topic,
    dead_letter_topic,
    journal_topic,
    redrive_topic,
)
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS, Topic

NAMES = ("relay", "picky", "holding", "unsorted", "count")
RELAY, PICKY, HOLDING, UNSORTED, COUNT = (AGENTS[name] for name in NAMES)
Change = Callable[[Message, bytes], bytes | None]


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path, timings=replace(CALM, pause_s=0.01))
    try:
        yield own
    finally:
        own.close()


def unchanged(_: Message, value: bytes) -> bytes:
    """Return a value as it is."""
    return value


def copy(cluster: Cluster, agent: Agent, folder: Path, changes: dict[str, Change], number: int) -> Cluster:
    """Copy what an agent read and wrote to another namespace, its inputs at the same offsets; change some values.

    Each copy has its own number: a broker may tell of topics for a moment after they were deleted, and topics of the
    same names would not be created again.
    """
    name = f"{cluster.settings.namespace[:-1]}-copy{number}."
    other = Cluster(cluster.settings.model_copy(update={"namespace": name}), folder)
    topics = (*agent.inputs, *agent.outputs, *agent_topics(agent))
    ensure(other.settings, topics)
    producer = Producer(other.settings.librdkafka())
    for topic in topics:
        if topic == changelog_topic(agent):
            continue
        change = changes.get(topic.name, unchanged)
        physical = cluster.settings.physical(topic)
        for batch in raw_records(cluster.settings, physical, range(topic.partitions), "earliest"):
            for record in batch:
                value = record.value()
                assert value is not None
                changed = change(record, value)
                if changed is not None:
                    at, stamp = record.partition() or 0, record.timestamp()[1]
                    producer.produce(
                        other.settings.physical(topic), changed, record.key(), at, delivered, timestamp=stamp
                    )
        assert producer.flush(WAIT_S) == 0
    return other


def journal_of(cluster: Cluster, agent: Agent) -> list[JournalEntry]:
    """Return all entries, partition after partition."""
    topic = journal_topic(agent)
    found: list[tuple[int, int, JournalEntry]] = []
    for batch in raw_records(cluster.settings, cluster.settings.physical(topic), range(topic.partitions), "earliest"):
        for record in batch:
            event = CODEC.decode(record.value() or b"")
            if isinstance(event, JournalEntry):
                found.append((record.partition() or 0, record.offset() or 0, event))
    return [entry for _, _, entry in sorted(found, key=lambda at: at[:2])]


def total(results: list[dict[str, Any]], name: str) -> int:
    """Return a count over all tasks."""
    return sum(result[name] for result in results)


def assert_equal(results: list[dict[str, Any]], records: int, outputs: int) -> None:
    """Fail unless all tasks were compared whole, and nothing differs."""
    assert [result["difference"] for result in results] == [None] * len(results)
    assert (total(results, "records"), total(results, "outputs")) == (records, outputs)
    assert total(results, "outputs_on_topics") == outputs


async def test_what_survived_aborts_restarts_and_rebalances_is_done_again_equal(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are numbered without gaps over all of it, and each input is in one of them once."""
    early = Sizes(snapshot_entries=4)
    limited = replace(RELAY, batch_limit=500)
    cluster.create(limited)
    cluster.publish(TICKS, ticks(6000))
    with monkeypatch.context() as patched:
        attempts = failing_commits(patched)
        async with cluster.running(limited, sizes=early):
            await soon(lambda: cluster.caught_up(limited), "the first 6,000")
    async with cluster.running(limited, sizes=early):
        other = cluster.start("relay")
        await asyncio.to_thread(other.wait_ready)  # half of the tasks are its own now
        cluster.publish(TICKS, ticks(4000, 6000))
        await soon(lambda: cluster.caught_up(limited), "the next 4,000")
        await asyncio.to_thread(other.kill)
        cluster.publish(TICKS, ticks(2000, 10_000))
        await soon(lambda: cluster.caught_up(limited), "the last 2,000")
    assert attempts() > 5
    cluster.assert_exactly_once(12_000, LATE_TICKS, limited)
    by_task: dict[int, list[int]] = {}
    for entry in journal_of(cluster, limited):
        by_task.setdefault(entry.partition, []).append(entry.sequence)
    assert all(numbers == list(range(len(numbers))) for numbers in by_task.values())
    whole = verified(cluster.settings, "relay")
    assert_equal(whole, 12_000, 12_000)
    assert total(whole, "others") == 0, "nothing is on the topic twice"
    later = verified(cluster.settings, "relay", wanted=6)
    assert [result["difference"] for result in later] == [None] * 4
    assert any(result["first"] for result in later), "it begins with a snapshot"
    assert total(later, "outputs") == total(later, "outputs_on_topics") < 12_000

    # Retention removes the first inputs: what follows a snapshot is verified, and what is missing is said
    fullest = max(later, key=lambda result: result["last"])["partition"]
    delete_records(cluster.settings, TICKS, fullest, 1000)
    delete_records(cluster.settings, LATE_TICKS, fullest, 1200)
    cut = next(result for result in verified(cluster.settings, "relay") if result["partition"] == fullest)
    assert cut["difference"] is None
    assert cut["first"] > 0
    assert any("were removed by retention (market.ticks begins at offset 1000" in note for note in cut["notes"])
    assert cut["outputs_on_topics"] + cut["outputs_gone"] == cut["outputs"] > 0


async def test_held_and_dead_records_are_done_again_in_the_order_of_their_processing(cluster: Cluster) -> None:
    """Ticks are processed long after they were read, and a dead letter is made again as it was."""
    cluster.create(HOLDING, PICKY)
    events = [replace(tick, ts_event=tick.seq, bid=NO_PRICE if tick.seq % 700 == 7 else 1.0) for tick in ticks(3000)]
    cluster.publish(TICKS, [*events[:1000], b"garbage", *events[1000:]])
    async with cluster.running(HOLDING, PICKY):
        for at in (500, 1700, 3000):
            beats = [replace(beat(at, symbol=symbol), venue="T") for symbol in sorted({tick.symbol for tick in events})]
            cluster.publish(DECISIONS, beats)
            await asyncio.sleep(0.5)
        await soon(lambda: cluster.caught_up(HOLDING) and cluster.caught_up(PICKY), "all processed")
    held = verified(cluster.settings, "holding")
    assert [result["difference"] for result in held] == [None] * 4
    assert total(held, "records") == 3001 + 18
    poison = sum(tick.bid == NO_PRICE for tick in events)
    picky = verified(cluster.settings, "picky")
    # picky and holding both send to the topic of late ticks: each finds its own records among the other's
    assert_equal(picky, 3001, 3001)
    letters = [letter for letter in cluster.read(dead_letter_topic(PICKY)) if isinstance(letter, DeadLetter)]
    assert len(letters) == poison + 1
    for letter in letters:
        write(cluster, redrive_topic(PICKY), letter.partition, b"letter", CODEC.encode(letter))
    async with cluster.running(PICKY):
        await soon(lambda: len(cluster.read(dead_letter_topic(PICKY))) == 2 * len(letters), "they failed once more")
    assert_equal(verified(cluster.settings, "picky"), 3001 + len(letters), 3001 + len(letters))


async def test_one_byte_that_changed_is_found_with_its_coordinates(cluster: Cluster, tmp_path: Path) -> None:
    """An input, an output on its topic, an entry of the journal: the copy differs there, and nowhere before."""
    cluster.create(RELAY)
    cluster.publish(TICKS, ticks(2000, symbols=("EURUSD",)))
    async with cluster.running(RELAY):
        await soon(lambda: cluster.caught_up(RELAY), "all processed")
    task = next(partition for (_, partition), offset in cluster.offsets(RELAY).items() if offset)

    def other_byte(record: Message, value: bytes) -> bytes:
        return value[:-1] + bytes([value[-1] ^ 1]) if record.offset() == 1234 else value

    def other_bid(record: Message, value: bytes) -> bytes:
        tick = CODEC.decode(value)
        assert isinstance(tick, Tick)
        return CODEC.encode(replace(tick, bid=1.5)) if tick.seq == 777 else value

    def other_state(_: Message, value: bytes) -> bytes:
        entry = CODEC.decode(value)
        wrong = isinstance(entry, JournalEntry) and entry.partition == task and entry.sequence == 1
        return CODEC.encode(replace(entry, state_digest=b"\1" * 16)) if wrong else value

    def without_the_second(_: Message, value: bytes) -> bytes | None:
        entry = CODEC.decode(value)
        return None if isinstance(entry, JournalEntry) and (entry.partition, entry.sequence) == (task, 0) else value

    copies = itertools.count(1)

    def look(changes: dict[str, Change]) -> dict[str, Any]:
        other = copy(cluster, RELAY, tmp_path, changes, next(copies))
        try:
            results = verified(other.settings, "relay")
        finally:
            from conftest import delete_topics  # noqa: PLC0415 - the fixture's, for a namespace that it does not know

            delete_topics(other.settings)
        assert [result["difference"] for result in results if result["partition"] != task] == [None] * 3
        (found,) = [result for result in results if result["partition"] == task]
        return found

    assert await asyncio.to_thread(look, {}) | {"agent": ""} == verified(cluster.settings, "relay")[task] | {
        "agent": ""
    }
    found = (await asyncio.to_thread(look, {"market.ticks": other_byte}))["difference"]
    assert (found["kind"], found["where"]) == (
        "input",
        {"topic": "market.ticks", "partition": task, "offset": 1234},
    )
    found = (await asyncio.to_thread(look, {"market.ticks.late": other_bid}))["difference"]
    assert (found["kind"], found["where"]["topic"], found["where"]["offset"]) == ("output", "market.ticks.late", 777)
    assert found["fields"] == {"bid": {"recorded": "1.5", "found": "1.0"}}
    found = (await asyncio.to_thread(look, {"relay.journal": other_state}))["difference"]
    assert (found["kind"], found["sequence"]) == ("state", 1)
    found = await asyncio.to_thread(look, {"relay.journal": without_the_second})
    assert found["difference"] is None
    assert "the journal begins with entry 1" in found["notes"][0]


async def test_a_processor_that_depends_on_the_order_of_a_set_is_found(cluster: Cluster) -> None:
    """It gives the same in every run of one process: only another hash seed shows it."""
    cluster.create(UNSORTED)
    names = tuple(f"SYM{number}" for number in range(60))
    cluster.publish(TICKS, ticks(600, symbols=names))
    async with cluster.running(UNSORTED):
        await soon(lambda: cluster.caught_up(UNSORTED), "all processed")
    results = verified(cluster.settings, "unsorted")
    assert {result["difference"]["kind"] for result in results if result["difference"]} == {"output"}
    first = next(result["difference"] for result in results if result["difference"])
    assert first["where"]["topic"] == "market.ticks.late"
    assert "symbol" in first["fields"] or "record key" in first["fields"]


def write(cluster: Cluster, topic: Topic, partition: int, key: bytes, value: bytes | None) -> None:
    """Write a record as somebody would who is not the agent."""
    producer = Producer(cluster.settings.librdkafka())
    producer.produce(cluster.settings.physical(topic), value, key, partition, delivered)
    assert producer.flush(WAIT_S) == 0


async def test_a_changelog_that_lost_a_value_stops_the_worker(cluster: Cluster) -> None:
    """It is not the state that the digest beside the position was made of: nothing is decided on it."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(600))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "all processed")
    partition, key = next((at, key) for at, task in cluster.state(COUNT).items() for key in task.raw)
    write(cluster, changelog_topic(COUNT), partition, key.encode(), None)
    with pytest.raises(RuntimeStopped, match=r"do not match the digest of the last transaction"):
        async with cluster.running(COUNT) as worker:
            await asyncio.wait({worker}, timeout=30)


async def test_a_task_from_before_the_journal_begins_one_with_its_state(cluster: Cluster) -> None:
    """A position that a version before wrote has no number and no digest: the first entry comes with a snapshot."""
    cluster.create(COUNT)
    cluster.publish(TICKS, ticks(600))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the first")
    for partition, task in cluster.state(COUNT).items():
        inputs = tuple({"topic": topic, "next": offset} for topic, offset in task.inputs.items())
        before = TaskPosition(agent="count", partition=partition, inputs=inputs)
        write(cluster, changelog_topic(COUNT), partition, POSITION_KEY.encode(), CODEC.encode(before))
    cluster.publish(TICKS, ticks(900, 600))
    async with cluster.running(COUNT):
        await soon(lambda: cluster.caught_up(COUNT), "the rest")
    cluster.assert_exactly_once(1500, None, COUNT)
    results = verified(cluster.settings, "count")
    assert_equal(results, 900, 0)
    assert {result["first"] for result in results if result["entries"]} == {0}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_agent_of_a_whole_day_verifies(settings: Settings, database: object, tmp_path: Path) -> None:
    """From the command line, bars of real ticks to positions: six agents, each equal byte by byte."""
    file = WHOLE_EURUSD.needed()
    pipeline = Pipeline(settings, tmp_path)
    try:
        pipeline.run("prepare")
        pipeline.start("agents", "worker", *(one.name for one in OURS))
        pipeline.run("feed", str(file), "--speed", "max", "--quiet")
        pipeline.wait_until(lambda: read_orders(settings).settled(1), "every order's end", 240, poll_s=3)
        for agent in (one.name for one in OURS):
            found = json.loads(pipeline.run("replay", "--verify", agent, "--json"))
            assert found["equal"], found
            assert total(found["tasks"], "records") > 0
            if agent == "market":
                assert total(found["tasks"], "records") >= WHOLE_EURUSD.ticks
                assert total(found["tasks"], "outputs") == total(found["tasks"], "outputs_on_topics") > 10_000
    finally:
        pipeline.stop()
