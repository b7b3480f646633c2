"""Dead letters are counted, shown and sent back on a real broker: to their agent alone, and each once."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from processes.forking import Forked, forked
from processes.pipeline import CLI, environment
from runtime.agents import AGENTS, add_up, in_order
from runtime.cluster import SYMBOLS, Cluster, soon, ticks, until
from runtime.records import INGEST_MS, NO_PRICE, Raw, beat
from runtime.timings import SHORT

from tradewind.connectors.dead_letters.redrive import TRANSACTION_LETTERS
from tradewind.connectors.kafka.admin import ensure, partition_counts
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.cli.group import tradewind
from tradewind.infra.cli.processes.prepare import every_topic
from tradewind.processors.batch import PoisonRecord, Segment, State, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.streams.runtime import Agent
from tradewind.streams.runtime.agent import dead_letter_topic, redrive_topic, redriven_topic
from tradewind.streams.runtime.work.dead_letters import letter_of
from tradewind.topics import BARS, LATE_TICKS, TICKS
from tradewind.topics.partitioner import partition_of

COUNT, SLOW = AGENTS["count"], AGENTS["slow"]
GARBAGE = b"garbage"


def relay(state: State, segment: Segment) -> list[Event]:
    """Pass on ticks and heartbeats, and count the ticks."""
    add_up(state, segment)
    return in_order(state, segment)


def picky(state: State, segment: Segment) -> list[Event]:
    """Relay, where a tick without a price is poison."""
    for at, event in enumerate(rows_of(segment).events):
        if isinstance(event, Tick) and event.bid == NO_PRICE:
            raise PoisonRecord(at, f"no price in {event.seq}")
    return relay(state, segment)


REPAIRED = Agent(name="market", inputs=(TICKS,), outputs=(LATE_TICKS, BARS), processor=relay)
"""Named as one of ours, so that the command knows it."""
FAULTY = replace(REPAIRED, inputs=(replace(TICKS, also=(), time_carrier=None),), processor=picky)
"""Knows no heartbeats, which are undecodable to it, and takes no tick without a price."""


@pytest.fixture
def cluster(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own."""
    own = Cluster(settings, tmp_path)
    yield own
    own.close()


@pytest.fixture
def registered(settings: Settings, tmp_path: Path) -> Iterator[Cluster]:
    """Give a namespace of the test's own, with the schemas where the commands find them."""
    own = Cluster(settings, tmp_path, open_codec(settings))
    yield own
    own.close()


def dlq(settings: Settings, *arguments: str, given: str | None = None) -> Result:
    """Run a command of `tradewind dlq` in this process."""
    return CliRunner().invoke(tradewind, ["dlq", *arguments], env=environment(settings), input=given)


def letters(cluster: Cluster, agent: Agent) -> list[DeadLetter]:
    """Return the dead letters of an agent by origin and attempt."""
    found = [event for event in cluster.read(dead_letter_topic(agent)) if isinstance(event, DeadLetter)]
    return sorted(found, key=lambda letter: (letter.topic, letter.partition, letter.offset, letter.attempt))


def letter(tick: Tick, offset: int, cluster: Cluster, agent: Agent = COUNT) -> DeadLetter:
    """Return the letter of a tick, as if it had failed in its partition."""
    at = TICKS.name, partition_of(TICKS.key(tick).encode(), TICKS.partitions)
    record = Raw(offset, cluster.codec.encode(tick), TICKS.key(tick).encode(), INGEST_MS)
    return letter_of(agent.name, at, record, "POISON", f"no price in {tick.seq}")


def send_back(cluster: Cluster, agent: Agent, found: Sequence[DeadLetter]) -> None:
    """Publish letters to an agent, as the command does."""
    cluster.publish(redrive_topic(agent), found, to=lambda event: event.partition)  # type: ignore[attr-defined]


def groups(told: Result) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Return what `list --json` told: (error, attempt) -> letters, waiting, redriven."""
    found: dict[tuple[str, int], tuple[int, int, int]] = {}
    for group in json.loads(told.output):
        key = group["error"], group["attempt"]
        before = found.get(key, (0, 0, 0))
        counts = group["letters"], group["waiting"], group["redriven"]
        found[key] = tuple(map(sum, zip(before, counts, strict=True)))  # type: ignore[assignment]
    return found


async def test_what_failed_is_sent_back_to_its_agent_alone_once_that_is_repaired(registered: Cluster) -> None:
    """Garbage, an event that the agent did not know, and poison, among good ticks that another agent reads too."""
    cluster = registered
    cluster.create(REPAIRED, COUNT)
    good = ticks(60, symbols=("EURUSD",))
    poison, heartbeat = replace(good[40], bid=NO_PRICE), replace(beat(20), venue="T")
    cluster.publish(TICKS, [*good[:20], heartbeat, *good[20:30], GARBAGE, *good[30:40], poison, *good[41:]])
    redrive, settings = redrive_topic(REPAIRED), cluster.settings
    async with cluster.running(FAULTY, COUNT):
        await soon(lambda: cluster.caught_up(FAULTY) and cluster.caught_up(COUNT), "all processed")
    found = letters(cluster, FAULTY)
    assert [(one.error, one.offset, one.attempt) for one in found] == [
        ("UNDECODABLE", 20, 1), ("UNDECODABLE", 31, 1), ("POISON", 42, 1),
    ]  # fmt: skip
    assert cluster.totals(FAULTY)[0] == 59
    assert groups(dlq(settings, "list", "market", "--json")) == {
        ("UNDECODABLE", 1): (2, 2, 0),
        ("POISON", 1): (1, 1, 0),
    }
    assert groups(dlq(settings, "list", "market", "--reason", "no price", "--json")) == {("POISON", 1): (1, 1, 0)}
    none = dlq(settings, "list", "market", "--until", "2001-01-01T00:00:00Z")
    assert (none.exit_code, none.output) == (0, "no such dead letters of market\n")

    (shown,) = map(json.loads, dlq(settings, "show", "market", "--error", "poison", "--json").output.splitlines())
    assert (shown["value"]["event"], shown["value"]["seq"], shown["reason"]) == ("Tick", 40, "no price in 40")
    told = dlq(settings, "show", "market", "--partition", str(found[1].partition), "--offset", "31").output
    assert f"hex {GARBAGE.hex()}" in told

    tried = dlq(settings, "redrive", "market", "--dry-run")
    assert (tried.exit_code, "3 would be sent" in tried.output) == (0, True), tried.output
    assert dlq(settings, "redrive", "market", given="n\n").exit_code == 1
    assert cluster.read(redrive) == []

    async with cluster.running(REPAIRED, COUNT):
        done = await asyncio.to_thread(dlq, settings, "redrive", "market", "--yes")
        assert (done.exit_code, "sent 3 letters" in done.output) == (0, True), done.output
        await soon(lambda: cluster.caught_up(REPAIRED, redrive), "the redriven ones")
    assert cluster.read(LATE_TICKS) == [*good[:40], *good[41:], poison]
    assert cluster.read(BARS) == [heartbeat]
    assert cluster.totals(REPAIRED)[0] == 60
    again = [one for one in letters(cluster, REPAIRED) if one.attempt == 2]
    assert [(one.error, one.offset, one.value) for one in again] == [("UNDECODABLE", 31, GARBAGE)]
    assert groups(dlq(settings, "list", "market", "--json")) == {
        ("UNDECODABLE", 1): (2, 0, 2), ("POISON", 1): (1, 0, 1), ("UNDECODABLE", 2): (1, 1, 0),
    }  # fmt: skip

    assert cluster.totals(COUNT) == (60, sum(range(60))), "another consumer of the origin hears nothing"
    assert [one.offset for one in letters(cluster, COUNT)] == [31]
    assert len(cluster.read(LATE_TICKS)) == 60

    refused = dlq(settings, "redrive", "market", "--error", "POISON", "--yes")
    assert (refused.exit_code, "already redriven" in refused.output) == (1, True), refused.output
    async with cluster.running(REPAIRED):
        done = await asyncio.to_thread(dlq, settings, "redrive", "market", "--yes")
        assert "sent 1 letter to" in done.output, "the one that failed again, and no other"
        await soon(lambda: cluster.caught_up(REPAIRED, redrive), "the third attempt")
    assert [one.attempt for one in letters(cluster, REPAIRED) if one.offset == 31] == [1, 2, 3]
    assert cluster.totals(REPAIRED)[0] == 60


def redrive_process(cluster: Cluster, name: str) -> Forked:
    """Start `tradewind dlq redrive market --yes`."""
    command = (CLI, "dlq", "redrive", "market", "--yes")
    with (cluster.folder / f"{name}.log").open("wb") as log:
        return forked(*command, environment=environment(cluster.settings), out=log, module=True)


@pytest.mark.long
def test_a_redrive_that_is_killed_and_run_again_sends_each_letter_once(registered: Cluster) -> None:
    """Killed with a transaction open, twice; then two at once, of which one shuts the other out."""
    cluster = registered
    cluster.create(REPAIRED)
    settings, redrive, count = cluster.settings, redrive_topic(REPAIRED), 20_000
    found = [letter(tick, tick.seq, cluster, REPAIRED) for tick in ticks(count)]
    cluster.publish(dead_letter_topic(REPAIRED), found)

    def sent() -> int:
        return sum(1 for event in cluster.read(redrive) if event)

    for kill in range(2):
        end = sum(cluster.ends(REPAIRED, redrive).values()) + 2 * TRANSACTION_LETTERS
        process = redrive_process(cluster, f"killed-{kill}")
        until(lambda end=end: sum(cluster.ends(REPAIRED, redrive).values()) >= end, "some are sent")
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert 0 < sent() < count, "it was killed in the middle"
    both = [redrive_process(cluster, f"beside-{number}") for number in range(2)]
    codes = sorted(process.wait(120) for process in both)
    assert codes[0] == 0 or codes == [1, 1]
    dlq(settings, "redrive", "market", "--yes")

    arrived = [event for event in cluster.read(redrive) if isinstance(event, DeadLetter)]
    assert Counter(one.event_id for one in arrived) == Counter(one.event_id for one in found)
    by_id = {one.event_id: one for one in found}
    assert all(by_id[one.event_id] == one for one in arrived)
    marked = [event for event in cluster.read(redriven_topic(REPAIRED)) if isinstance(event, Redriven)]
    assert Counter(mark.event_id for mark in marked) == Counter(by_id.keys())
    assert groups(dlq(settings, "list", "market", "--json")) == {("POISON", 1): (count, 0, count)}

    again = dlq(
        settings, "redrive", "market", "--again", "--offset", "7", "--partition", str(found[7].partition), "--yes"
    )
    assert again.exit_code == 0, again.output
    (resent,) = [event for event in cluster.read(redrive) if isinstance(event, DeadLetter) and event.attempt == 2]
    assert resent == replace(found[7], attempt=2), "if both fail, they are two letters"


async def test_a_group_that_exists_takes_redrive_up_beside_workers_that_do_not_know_it(cluster: Cluster) -> None:
    """One worker at a time, with letters waiting; back to the old version; and up again: nothing counts twice."""
    cluster.create(COUNT)
    redrive = redrive_topic(COUNT)
    cluster.publish(TICKS, ticks(1000))
    old = cluster.start("count", program="before_redrive.py")
    try:
        await soon(lambda: cluster.caught_up(COUNT), "the old version alone")
        assert {cluster.offsets(COUNT, redrive)[redrive.name, task] for task in range(4)} == {None}
        extra = ticks(6, 10_000)
        send_back(cluster, COUNT, [letter(tick, 10**9 + tick.seq, cluster) for tick in extra])
        async with cluster.running(COUNT):
            cluster.publish(TICKS, ticks(1000, 1000))
            await soon(lambda: cluster.caught_up(COUNT), "old and new together")
            assert old.stop() == 0
            await soon(lambda: cluster.caught_up(COUNT, redrive), "the new version alone, redriven ones too")
        assert cluster.totals(COUNT) == (2006, sum(range(2000)) + sum(tick.seq for tick in extra))
        old = cluster.start("count", program="before_redrive.py")
        cluster.publish(TICKS, ticks(500, 2000))
        await soon(lambda: cluster.caught_up(COUNT), "the old version again")
        assert old.stop() == 0
    finally:
        cluster.close()
    send_back(cluster, COUNT, [letter(ticks(1, 20_000)[0], 10**9, cluster)])
    async with cluster.running(COUNT):
        cluster.publish(TICKS, ticks(500, 2500))
        await soon(lambda: cluster.caught_up(COUNT, redrive), "the new version again")
    total = sum(range(3000)) + sum(tick.seq for tick in extra) + 20_000
    assert cluster.totals(COUNT) == (3007, total)


async def test_letters_that_were_sent_before_the_first_start_are_read_though_inputs_begin_at_the_latest(
    cluster: Cluster,
) -> None:
    """Somebody waits for each of them."""
    latest = replace(COUNT, first_start="latest")
    cluster.create(latest)
    cluster.publish(TICKS, ticks(100))
    send_back(cluster, latest, [letter(tick, tick.seq, cluster) for tick in ticks(len(SYMBOLS), 500)])
    async with cluster.running(latest):
        await soon(lambda: cluster.caught_up(latest, redrive_topic(latest)), "the redriven ones")
    assert cluster.totals(latest) == (len(SYMBOLS), sum(range(500, 500 + len(SYMBOLS))))


async def test_an_agent_that_is_killed_among_redriven_records_processes_each_once(
    settings: Settings, tmp_path: Path
) -> None:
    """Outputs, state and the position in the redrive topic are one transaction, as for what it declares."""
    cluster = Cluster(settings, tmp_path, timings=SHORT)
    cluster.create(SLOW)
    redrive = redrive_topic(SLOW)
    backwards = [letter(tick, 10**9 - tick.seq, cluster, SLOW) for tick in ticks(2000, 3000)]  # a segment for each
    send_back(cluster, SLOW, backwards)
    cluster.publish(TICKS, ticks(3000))
    try:
        killed = cluster.start("slow")
        await soon(lambda: any(cluster.offsets(SLOW, redrive)[redrive.name, task] for task in range(4)), "some of them")
        killed.kill()
        assert not cluster.caught_up(SLOW, redrive)
        successor = cluster.start("slow")
        await soon(lambda: cluster.caught_up(SLOW, redrive), "the others")
        assert successor.stop() == 0
    finally:
        cluster.close()
    assert cluster.totals(SLOW) == (5000, sum(range(5000)))
    assert sorted(event.seq for event in cluster.read(LATE_TICKS) if isinstance(event, Tick)) == list(range(5000))


def test_marks_are_forgotten_with_their_letters(registered: Cluster) -> None:
    """A mark whose letter retention has removed is deleted by the next redrive: marks do not pile up."""
    cluster = registered
    cluster.create(REPAIRED)
    gone = Redriven(event_id="0" * 32, agent="market", times=1, ts_redriven=1)
    cluster.publish(redriven_topic(REPAIRED), [gone], to=lambda _: 0)
    cluster.publish(dead_letter_topic(REPAIRED), [letter(ticks(1)[0], 0, cluster, REPAIRED)])
    assert dlq(cluster.settings, "redrive", "market", "--yes").exit_code == 0
    name = cluster.settings.physical(redriven_topic(REPAIRED))
    last = {one.key(): one.value() for batch in raw_records(cluster.settings, name, [0], "earliest") for one in batch}
    assert last[b"0" * 32] is None
    assert len([value for value in last.values() if value is not None]) == 1


def test_what_cannot_be_done_is_told_in_a_line(registered: Cluster) -> None:
    """An older cluster, no letters, a sink, a letter without its whole value; and prepare makes what is missing."""
    cluster = registered
    settings = cluster.settings
    ensure(settings, [topic for topic in every_topic(settings) if not topic.name.endswith((".redrive", ".redriven"))])
    for arguments in (("list",), ("show", "market"), ("redrive", "market")):
        told = dlq(settings, *arguments)
        assert (told.exit_code, told.output.count("\n")) == (1, 1), told.output
        assert "Run `tradewind prepare`" in told.output
    ensure(settings, every_topic(settings))
    assert {settings.physical(f"market.{kind}") for kind in ("redrive", "redriven")} <= partition_counts(
        settings
    ).keys()
    listed = dlq(settings, "list")
    assert (listed.exit_code, listed.output[:18]) == (0, "no dead letters of")
    for arguments in (("show", "market"), ("redrive", "market", "--yes")):
        told = dlq(settings, *arguments)
        assert (told.exit_code, told.output.count("\n")) == (1, 1), told.output
        assert "market has no matching dead letter" in told.output
    sink = dlq(settings, "redrive", "questdb")
    assert (sink.exit_code, "questdb is a sink" in sink.output) == (1, True), sink.output
    at = TICKS.name, 0
    huge = letter_of("market", at, Raw(0, b"x" * 600_000), "UNDECODABLE", "huge")
    cluster.publish(dead_letter_topic(REPAIRED), [huge, b"no letter"])
    cut = dlq(settings, "redrive", "market", "--yes")
    assert cut.exit_code == 1
    assert "not sent: 1 cut, because the value did not fit" in cut.output
    assert "no dead letter: " in cut.output
