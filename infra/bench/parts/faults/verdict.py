"""Judges what two agents made of a load: their outputs, and their state against a recomputation from scratch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import SYMBOLS, Hops
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, group_of
from tradewind.streams.runtime.commit.changelog import Changelog
from tradewind.streams.runtime.read.positions import GroupPositions
from tradewind.topics import Topic

EXAMPLES = 5  # of states that differ: they are alike, as a rule
Key = tuple[int, str]
"""Task, key in its state."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, over all outputs."""

    inputs: int
    lost: int
    doubled: int
    disordered: int
    """Events that came out behind a later one of their key."""
    state_mismatches: int
    """Keys of either agent whose state is not what the inputs give, those included that it should not have."""
    examples: tuple[str, ...] = ()
    """Some of these."""
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
    """Compare everything that is committed with the inputs 0 to `inputs`; raises where these are not what was sent."""
    expected = {symbol: list(range(at, inputs, len(SYMBOLS))) for at, symbol in enumerate(SYMBOLS)}
    if _sequences(_committed(settings, codec, hops.topic(0))) != {key: of for key, of in expected.items() if of}:
        raise RuntimeError(
            f"{hops.topic(0).name} does not hold the {inputs:,} events that were sent, each once, in order"
        )
    lost = doubled = disordered = 0
    for number in (1, 2):
        seen = _sequences(_committed(settings, codec, hops.topic(number)))
        for symbol, wanted in expected.items():
            own = seen.get(symbol, [])
            lost += len(set(wanted) - set(own))
            doubled += len(own) - len(set(own))
            disordered += sum(later < earlier for earlier, later in pairwise(own))
    state = recomputed(_committed(settings, codec, hops.topic(0)))
    wrong = [line for number in (0, 1) for line in differences(state, _restored(settings, codec, hops.agent(number)))]
    return Verdict(inputs, lost, doubled, disordered, len(wrong), tuple(wrong[:EXAMPLES]))


def recomputed(inputs: Iterable[tuple[int, Tick]]) -> dict[Key, Event]:
    """Return the state that (partition, tick)s give: each symbol's last one, whose seq is how many there were."""
    counts: Counter[Key] = Counter()
    last: dict[Key, Tick] = {}
    for partition, tick in inputs:
        key = partition, tick.symbol
        counts[key] += 1
        last[key] = tick
    return {key: replace(tick, seq=counts[key]) for key, tick in last.items()}


def differences(expected: Mapping[Key, Event], found: Mapping[Key, Event]) -> list[str]:
    """Return a line for each key whose whole values differ, or that only one side has."""
    return [
        f"task {key[0]}, {key[1]!r}: {found.get(key)} instead of {expected.get(key)}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key) != found.get(key)
    ]


def _committed(settings: Settings, codec: Codec, topic: Topic) -> Iterator[tuple[int, Tick]]:
    """Yield a topic's ticks with their partitions, each partition in order; anything else raises `TypeError`."""
    for batch in raw_records(settings, settings.physical(topic), range(topic.partitions), "earliest"):
        for message in batch:
            event = codec.decode(message.value() or b"")
            if not isinstance(event, Tick):
                raise TypeError(f"{topic.name}: {type(event).__name__}, where ticks alone were sent")
            yield message.partition(), event


def _sequences(ticks: Iterable[tuple[int, Tick]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for _, tick in ticks:
        found[tick.symbol].append(tick.seq)
    return found


def _restored(settings: Settings, codec: Codec, agent: Agent) -> dict[Key, Event]:
    """Return an agent's state as a new worker would restore it."""
    positions = GroupPositions(settings, group_of(agent, settings))
    try:
        restored = Changelog(agent, settings, codec).restore(range(agent.partitions), positions, lambda: False)
    finally:
        positions.close()
    return {(number, key): codec.decode(value) for number, task in restored.items() for key, value in task.raw.items()}
