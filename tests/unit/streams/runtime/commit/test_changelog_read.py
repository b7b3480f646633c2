"""A changelog is read from its begin to where it ended when the restore began, unless the lease ends before."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as Coordinates
from runtime.records import CODEC, NOWHERE, tick

from tradewind.streams.runtime.agent import Agent
from tradewind.streams.runtime.commit import changelog as changelog_module
from tradewind.streams.runtime.commit.changelog import Changelog, Restored
from tradewind.streams.runtime.errors import StateUnavailable, Superseded
from tradewind.streams.runtime.timings import USUAL, Timings
from tradewind.topics import LATE_TICKS, TICKS

AGENT = Agent("restored", (TICKS,), (LATE_TICKS,), lambda state, segment: [])
TOPIC = "t.restored.changelog"


@dataclass(frozen=True)
class Message:
    """What a consumer gives: a record, or that it is at a partition's end."""

    at: int
    of: int = 0
    failed: KafkaError | None = None

    def error(self) -> KafkaError | None:
        return self.failed

    def partition(self) -> int:
        return self.of

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes:
        return f"k{self.at}".encode()

    def value(self) -> bytes:
        return CODEC.encode(tick(self.at))


def end(at: int, of: int = 0) -> Message:
    """Return what a consumer gives at the end of a partition."""
    return Message(at, of, KafkaError(KafkaError._PARTITION_EOF))


class Reader:
    """A consumer that gives what a test says, one script after the other at each look."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.script: list[Sequence[Message]] = []
        self.assigned: list[tuple[str, int, int]] = []
        self.looks = self.closed = 0

    def assign(self, of: list[Any]) -> None:
        self.assigned = [(at.topic, at.partition, at.offset) for at in of]

    def poll(self, _: float) -> Message | None:
        assert self.script, "it is read on after its end"
        self.looks += 1
        return self.script[0][0] if self.script[0] else self._nothing()

    def _nothing(self) -> None:
        self.script.pop(0)

    def consume(self, _: int, wait_s: float) -> list[Message]:
        assert wait_s == 0
        return list(self.script.pop(0)[1:])

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Give what changelogs are read by."""
    found = Reader()

    def consumer(options: dict[str, Any]) -> Reader:
        found.options = options
        return found

    monkeypatch.setattr(changelog_module, "Consumer", consumer)
    return found


class Ends:
    """Tells where partitions begin and end."""

    def __init__(self, **of: tuple[int, int]) -> None:
        self.of = {int(name.removeprefix("p")): at for name, at in of.items()}

    def bounds(self, at: Any, superseded: object) -> dict[tuple[str, int], tuple[int, int]]:
        """Return the first offsets, and those after the last records."""
        return {of: self.of[of[1]] for of in at}


def restored(changelog: Changelog, **ends: tuple[int, int]) -> dict[int, Restored]:
    """Return what a restore of all partitions that have an end finds."""
    told: Any = Ends(**ends)
    return changelog.restore(told.of, told, lambda: False)


def test_a_lease_that_ends_ends_the_reading(reader: Reader) -> None:
    """Noticed at the next look, long before the end: whoever has the partitions next must not wait for this one."""
    reader.script = [[Message(0)], [Message(1)], [end(2)]]
    ended = iter([False, True])
    changelog = Changelog(AGENT, NOWHERE, CODEC)
    with pytest.raises(Superseded):
        changelog._read({0: Restored()}, [Coordinates(TOPIC, 0, 0)], {0: 2}, lambda: next(ended))
    assert (reader.looks, reader.closed) == (1, 1)
    assert changelog.progress.records == 1


def test_the_end_is_where_the_partition_ended_when_the_restore_began(reader: Reader) -> None:
    """An earlier one is the last stable offset, beyond which a marker is still to come; a later one does no harm."""
    reader.script = [[Message(0), end(1)], [], [Message(1), end(3)]]
    found = restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 3))
    assert sorted(found[0].raw) == ["k0", "k1"]
    assert (reader.script, reader.looks, reader.closed) == ([], 3, 1)
    reader.script = [[Message(0), end(9)]]
    assert sorted(restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 3))[0].raw) == ["k0"]


def test_what_has_ended_may_say_so_again(reader: Reader) -> None:
    """While other partitions are still read."""
    reader.script = [[end(2)], [end(2)], [end(5, 1)]]
    restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 2), p1=(0, 5))
    assert reader.script == []


def test_what_comes_after_a_partitions_end_is_not_taken_in(reader: Reader) -> None:
    """A worker that has the task by now wrote it: it may be half of a transaction, in this look or a later one."""
    reader.script = [[Message(0), end(1), Message(1)], [Message(2)], [Message(0, 1), end(1, 1)]]
    changelog = Changelog(AGENT, NOWHERE, CODEC)
    found = restored(changelog, p0=(0, 1), p1=(0, 1))
    assert {partition: sorted(of.raw) for partition, of in found.items()} == {0: ["k0"], 1: ["k0"]}
    assert changelog.progress.read == 2


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError._UNKNOWN_PARTITION]
)
def test_errors_that_pass_are_waited_for(reader: Reader, code: int) -> None:
    """The client connects again, and finds the new leader, by itself."""
    reader.script = [[Message(0)], [Message(1, 0, KafkaError(code))], [Message(1)], [end(2)]]
    assert sorted(restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 2))[0].raw) == ["k0", "k1"]


def test_a_changelog_of_which_nothing_more_comes_is_given_up(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever restores keeps its partitions; what comes, if only an end, shows that it goes on."""
    timings = Timings(transaction_s=0.1, silence_s=1.1 * USUAL.read_s)
    now = [0.0]

    def clock() -> float:
        now[0] += 100.0  # frozen at each look, which counts as one look
        return now[0]

    monkeypatch.setattr(changelog_module, "time", SimpleNamespace(monotonic=clock))
    nothing: list[Message] = []
    reader.script = [nothing, [Message(0)], nothing, [end(1)], nothing, [end(2, 1)]]
    restored(Changelog(AGENT, NOWHERE, CODEC, timings), p0=(0, 1), p1=(0, 2))
    reader.script = [[Message(0)], nothing, nothing]
    with pytest.raises(
        StateUnavailable, match=r"1 of at most 9 records read, to be read: t\.restored\.changelog, partition 0"
    ):
        restored(Changelog(AGENT, NOWHERE, CODEC, timings), p0=(0, 9))
    assert (reader.script, reader.closed) == ([], 2)


def test_any_other_error_is_raised_and_the_consumer_closed(reader: Reader) -> None:
    """It is no end, at whatever offset."""
    reader.script = [[Message(0), Message(9, 0, KafkaError(KafkaError.OFFSET_OUT_OF_RANGE))]]
    with pytest.raises(KafkaException, match="OFFSET_OUT_OF_RANGE"):
        restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 2))
    assert reader.closed == 1


def test_partitions_are_read_from_their_begin_and_empty_ones_not_at_all(reader: Reader) -> None:
    """Committed records only. Retention or a deletion may have left a partition with an end and no records."""
    reader.script = [[Message(7), end(8)]]
    found = restored(Changelog(AGENT, NOWHERE, CODEC), p0=(5, 8), p1=(0, 0), p2=(6, 6))
    assert reader.assigned == [(TOPIC, 0, 5)], "by its number: who asks for the begin is told half a second later"
    assert reader.options["isolation.level"] == "read_committed"
    assert {partition: len(of.encoded) for partition, of in found.items()} == {0: 1, 1: 0, 2: 0}
    restored(Changelog(AGENT, NOWHERE, CODEC), p0=(0, 0))
    assert reader.closed == 1, "nobody reads where there is nothing"


def test_progress_is_told_while_a_restore_goes_on(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Read so far of what there may be, an upper bound: markers and what was compacted away are counted in it."""
    caplog.set_level(logging.INFO)
    changelog = Changelog(AGENT, NOWHERE, CODEC, Timings(progress_s=1e-9))
    seen = []
    take = changelog_module.taken

    def noted(*of: Any) -> Any:
        seen.append((changelog.progress.read, changelog.progress.most, changelog.progress.sources))
        return take(*of)

    monkeypatch.setattr(changelog_module, "taken", noted)
    reader.script = [[Message(0), Message(1)], [Message(0, 1), end(4, 1)], [Message(2), end(2000)]]
    restored(changelog, p0=(1000, 2000), p1=(0, 4))
    zero, one = (TOPIC, 0), (TOPIC, 1)
    assert seen == [(0, 1004, (zero, one)), (2, 1004, (zero, one)), (3, 1004, (zero,))]
    assert (changelog.progress.read, changelog.progress.records, changelog.progress.unread) == (4, 4, ())
    lines = [record.getMessage() for record in caplog.records]
    says = f"{TOPIC}: a restore waits for the changelog's records, "
    assert lines[0] == f"{says}2 of at most 1,004 records read, to be read: {TOPIC}, partitions 0, 1"
    assert lines[1] == f"{says}3 of at most 1,004 records read, to be read: {TOPIC}, partition 0"
    assert lines[2].startswith(f"{TOPIC}: restored 2 partitions from 4 records in ")
    reader.script = [[Message(0), end(1)]]
    restored(changelog, p0=(0, 1))
    assert (changelog.progress.read, changelog.progress.records) == (1, 5), "of this restore, and of all"
