"""Judges what two agents made of a load: their outputs, and their state against a recomputation from scratch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import SYMBOLS, Hops
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import group_of
from tradewind.streams.runtime.changelog import Changelog
from tradewind.streams.runtime.positions import GroupPositions
from tradewind.topics import Topic


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, over all outputs."""

    inputs: int
    lost: int
    doubled: int
    disordered: int
    """Events that came out behind a later one of their key."""
    state_mismatches: int
    """Keys of either agent whose state is not what the inputs give."""
    kills: int = 0
    duration_s: float = 0.0

    def after(self, kills: int, duration_s: float) -> Verdict:
        """Return it with what was done."""
        return replace(self, kills=kills, duration_s=duration_s)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.disordered or self.state_mismatches)


def verdict(settings: Settings, codec: Codec, hops: Hops, inputs: int) -> Verdict:
    """Compare everything that is committed with the inputs 0 to `inputs`."""
    expected = {symbol: list(range(at, inputs, len(SYMBOLS))) for at, symbol in enumerate(SYMBOLS)}
    lost = doubled = disordered = 0
    for number in (1, 2):
        seen = _sequences(settings, codec, hops.topic(number))
        for symbol, wanted in expected.items():
            own = seen[symbol]
            lost += len(set(wanted) - set(own))
            doubled += len(own) - len(set(own))
            disordered += sum(later < earlier for earlier, later in pairwise(own))
    wrong = sum(_mismatches(settings, codec, hops, number, expected) for number in (0, 1))
    return Verdict(inputs, lost, doubled, disordered, wrong)


def _sequences(settings: Settings, codec: Codec, topic: Topic) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for batch in raw_records(settings, settings.physical(topic), range(topic.partitions), "earliest"):
        for message in batch:
            event = codec.decode(message.value() or b"")
            if isinstance(event, Tick):
                found[event.symbol].append(event.seq)
    return found


def _mismatches(settings: Settings, codec: Codec, hops: Hops, number: int, expected: dict[str, list[int]]) -> int:
    """Restore an agent's state as a new worker would, and compare each symbol's count with the inputs."""
    agent = hops.agent(number)
    positions = GroupPositions(settings, group_of(agent, settings))
    try:
        restored = Changelog(agent, settings, codec).restore(range(agent.partitions), positions, lambda: False)
    finally:
        positions.close()
    counts: dict[str, int] = {}
    for task in restored.values():
        for key, encoded in task.raw.items():
            value = codec.decode(encoded)
            if isinstance(value, Tick):
                counts[key] = value.seq
    return sum(counts.get(symbol, 0) != len(wanted) for symbol, wanted in expected.items())
