"""Who writes and reads which topic, as cards in lanes: what the layout puts on the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["source", "agent", "sink"]
OUTPUT_VOTES, INPUT_VOTES = 2, 1
"""What an agent sends says more of where it belongs than what it reads."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A topic, as its declaration says."""

    name: str
    lane: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A box of the picture: a source, an agent or a sink, with a port for each topic."""

    id: str
    name: str
    """The producer or consumer. Sources and sinks that work for several lanes have a card in each."""
    kind: Kind
    lane: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def cards(
    topics: Sequence[Declared], order: Sequence[str], lanes: Sequence[str], aliases: Mapping[str, str]
) -> tuple[Card, ...]:
    """Return the cards, each reader after those that it mostly reads from.

    `order` names agents in the order in which events flow. `aliases` gives producers a common name, such as the
    commands that people run. Topics that nobody reads are outputs all the same. Topics that only their own writers read
    are left out: they are memory, and no flow.
    """
    topics = [topic for topic in topics if not (topic.consumers and set(topic.consumers) <= set(topic.producers))]
    writers = _named((topic, aliases.get(name, name)) for topic in topics for name in topic.producers)
    readers = _named((topic, name) for topic in topics for name in topic.consumers)
    both = [name for name in order if name in writers or name in readers]
    both += sorted(name for name in writers.keys() & readers.keys() if name not in both)
    agents = [
        Card(
            name,
            name,
            "agent",
            _lane(writers.get(name, []), readers.get(name, []), lanes),
            *_ports(name, readers, writers),
        )
        for name in both
        if name in writers
    ]
    known = {card.name for card in agents}
    sources = [
        Card(f"{name}@{lane}", name, "source", lane, outputs=ports)
        for lane, name, ports in _outer(writers, known, lanes, topics)
    ]
    sinks = [
        Card(f"{name}@{lane}", name, "sink", lane, inputs=ports)
        for lane, name, ports in _outer(readers, known, lanes, topics)
    ]
    return (*sources, *agents, *sinks)


def _outer(
    found: Mapping[str, list[Declared]], agents: set[str], lanes: Sequence[str], topics: Sequence[Declared]
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (lane, name, its topics there) of those that are no agents, in each lane by their first topic."""
    place = {topic.name: at for at, topic in enumerate(topics)}
    ports = [
        (lane, name, tuple(topic.name for topic in named if topic.lane == lane))
        for lane in lanes
        for name, named in found.items()
        if name not in agents
    ]
    return sorted((one for one in ports if one[2]), key=lambda one: (lanes.index(one[0]), place[one[2][0]]))


def _named(pairs: Iterable[tuple[Declared, str]]) -> dict[str, list[Declared]]:
    found: dict[str, dict[str, Declared]] = {}
    for topic, name in pairs:
        found.setdefault(name, {})[topic.name] = topic
    return {name: list(topics.values()) for name, topics in found.items()}


def _ports(
    name: str, readers: Mapping[str, list[Declared]], writers: Mapping[str, list[Declared]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(topic.name for topic in readers.get(name, ())),
        tuple(topic.name for topic in writers.get(name, ())),
    )


def _lane(sends: Sequence[Declared], reads: Sequence[Declared], lanes: Sequence[str]) -> str:
    """Return the lane of most of an agent's topics; the first of the lanes where several have as many."""
    votes = Counter[str]()
    for topics, weight in ((sends, OUTPUT_VOTES), (reads, INPUT_VOTES)):
        for topic in topics:
            votes[topic.lane] += weight
    return max(lanes, key=lambda lane: votes[lane])
