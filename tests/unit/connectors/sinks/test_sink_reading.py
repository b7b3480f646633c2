"""What the client of a sink is told: offsets that are known, by the calls that its group's strategy has."""

from __future__ import annotations

from typing import Any, cast

from confluent_kafka import Consumer, TopicPartition
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.sinks.loop.reading import Reading

PLACES: tuple[Place, ...] = tuple(("t", partition) for partition in range(4))
Some = st.sets(st.sampled_from(PLACES))


class Client:
    """Keeps what it reads, and from where; refuses what librdkafka refuses."""

    def __init__(self) -> None:
        self.reads: dict[Place, int] = {}
        self.calls: list[str] = []

    def _starts(self, places: list[TopicPartition]) -> dict[Place, int]:
        assert all(place.offset >= 0 for place in places), "a number, which nobody has to look up"
        return {(place.topic, place.partition): place.offset for place in places}

    def assign(self, places: list[TopicPartition]) -> None:
        self.calls.append("assign")
        self.reads = self._starts(places)

    def unassign(self) -> None:
        self.calls.append("assign")
        self.reads = {}

    def incremental_assign(self, places: list[TopicPartition]) -> None:
        self.calls.append("incremental")
        starts = self._starts(places)
        assert not starts.keys() & self.reads.keys()
        self.reads |= starts

    def incremental_unassign(self, places: list[TopicPartition]) -> None:
        self.calls.append("incremental")
        for place in places:
            del self.reads[place.topic, place.partition]

    def resume(self, places: list[TopicPartition]) -> None:
        assert not {(place.topic, place.partition) for place in places} & self.reads.keys()


class Rebalances(RuleBasedStateMachine):
    """A group that gives and takes partitions, and positions that become known or wrong at any time."""

    @initialize(incremental=st.booleans())
    def begin(self, incremental: bool) -> None:
        """Choose a strategy."""
        self.client: Any = Client()
        self.incremental = incremental
        self.reading = Reading(cast("Consumer", self.client), incremental=incremental)
        self.given: set[Place] = set()
        self.expected: set[Place] = set()
        self.positions = dict.fromkeys(PLACES, 100)

    @rule(places=Some)
    def the_group_gives(self, places: set[Place]) -> None:
        """All anew where the strategy is eager, else what it has not given yet."""
        if not self.incremental:
            self.the_group_takes(set(self.given))
        new = places - self.given
        self.given |= new
        calls = len(self.client.calls)
        self.reading.answer_assignment()
        assert len(self.client.calls) == calls + 1, "the group is answered, and nothing is read yet"
        assert set(self.client.reads) == self.expected

    @rule(places=Some)
    def positions_become_known(self, places: set[Place]) -> None:
        """Of partitions that are not read yet."""
        if new := (places & self.given) - self.expected:
            self.expected |= new
            self.reading.give({at: self.positions[at] for at in self.given}, new)
            assert all(self.client.reads[at] == self.positions[at] for at in new)

    @rule(places=Some)
    def positions_turn_out_wrong(self, places: set[Place]) -> None:
        """Of partitions that are read."""
        if wrong := places & self.expected:
            self.expected -= wrong
            self.reading.leave({at: self.positions[at] for at in self.given}, wrong)

    @rule(of=st.sampled_from(PLACES), records=st.integers(1, 9))
    def records_come(self, of: Place, records: int) -> None:
        """Move a position."""
        self.positions[of] += records if of in self.expected else 0

    @rule(places=Some)
    def the_group_takes(self, places: set[Place]) -> None:
        """All of it where the strategy is eager."""
        taken = places & self.given if self.incremental else set(self.given)
        self.given -= taken
        self.expected -= taken
        calls = len(self.client.calls)
        self.reading.answer_revocation(taken)
        assert len(self.client.calls) == calls + 1, "the group is answered once, whatever was read"

    @invariant()
    def what_is_read_is_what_is_known(self) -> None:
        """By the calls of one strategy only."""
        assert set(self.client.reads) == self.reading.partitions == self.expected
        assert set(self.client.calls) <= {"incremental" if self.incremental else "assign"}


TestRebalances = Rebalances.TestCase
