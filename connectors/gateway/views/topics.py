"""The table of topics: what each carries, holds and keeps, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tradewind.connectors.gateway.views.flow import FlowSeen
from tradewind.connectors.gateway.views.inventory import Inventory
from tradewind.processors.health.retention import kept
from tradewind.topics import Topic

LETTERS: Final = "dlq"


@dataclass(frozen=True, slots=True)
class TopicsSeen:
    """What the table is made of."""

    declared: Mapping[str, Topic]
    """By name, without the namespace."""
    left_out: frozenset[str]
    """Declared readers that do not run here."""
    inventory: Inventory
    flow: FlowSeen | None


def topics_json(seen: TopicsSeen, namespace: str) -> list[dict[str, Any]]:
    """Return each topic that exists, by name. What is not known is null."""
    partitions: dict[str, list[int]] = {}
    for topic, number in sorted(seen.inventory.bounds):
        partitions.setdefault(topic, []).append(number)
    return [
        _topic(physical, physical.removeprefix(namespace), numbers, seen) for physical, numbers in partitions.items()
    ]


def _topic(physical: str, name: str, numbers: list[int], seen: TopicsSeen) -> dict[str, Any]:
    declared, inventory, flow = seen.declared.get(name), seen.inventory, seen.flow
    config = inventory.configs.get(physical, {})
    limit = int(config.get("retention.bytes", -1))
    deletes = "delete" in config.get("cleanup.policy", "delete")
    samples = {number: inventory.sizes.get((physical, number), ()) for number in numbers}
    holds = kept(samples, len(numbers), limit if deletes and limit > 0 else None)
    writes = [at for number in numbers if (at := inventory.last_writes.get((physical, number))) is not None]
    carried = {} if flow is None else flow.topics.get(name, {})
    return {
        "name": name,
        "kind": _kind(name, declared),
        "owner": declared.owner if declared is not None else name.rpartition(".")[0],
        "model": None if declared is None else declared.model.__name__,
        "cleanup": config.get("cleanup.policy"),
        "records": carried.get("records"),
        "rate_per_s": carried.get("rate_per_s"),
        "bytes": None if holds.bytes is None else str(holds.bytes),
        "bytes_per_s": None if holds.bytes_per_s is None else round(holds.bytes_per_s, 1),
        "limit_bytes": None if holds.limit_bytes is None else str(holds.limit_bytes),
        "full": None if holds.full is None else round(holds.full, 4),
        "keeps_s": None if holds.keeps_s is None else round(holds.keeps_s),
        "last_write": max(writes, default=None),
        "producers": [] if declared is None else list(declared.producers),
        "readers": _readers(name, declared, seen),
        "partitions": [
            {
                "partition": number,
                "first": str(inventory.bounds[physical, number][0]),
                "stable": str(inventory.bounds[physical, number][1]),
                "end": str(inventory.ends.get((physical, number), inventory.bounds[physical, number][1])),
                "bytes": str(samples[number][-1][1]) if samples[number] else None,
                "last_write": inventory.last_writes.get((physical, number)),
            }
            for number in numbers
        ],
    }


def _kind(name: str, declared: Topic | None) -> str:
    if declared is not None:
        return "flow"
    return "letters" if name.rpartition(".")[2] == LETTERS else "kept"


def _readers(name: str, declared: Topic | None, seen: TopicsSeen) -> list[dict[str, Any]]:
    """Return who reads a topic, with lag and state; UNKNOWN where Kafka says nothing of a declared reader."""
    readers = {} if seen.flow is None else seen.flow.readers
    names = {reader for reader, topics in readers.items() if name in topics}
    if declared is not None:
        names.update(set(declared.consumers) - seen.left_out)
    found = []
    for reader in sorted(names):
        told = readers.get(reader, {}).get(name)
        found.append(
            {
                "name": reader,
                "state": "UNKNOWN" if told is None else told["state"],
                "lag": None if told is None else told["lag"],
                "lag_s": None if told is None else told["lag_s"],
            }
        )
    return found
