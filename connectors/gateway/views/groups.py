"""The table of groups: how far each reader is behind, whether that gets better, and who its members are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tradewind.connectors.gateway.views.flow import FlowSeen, Reads
from tradewind.connectors.gateway.views.inventory import Inventory
from tradewind.connectors.health.groups import GroupSeen
from tradewind.processors.health.states import Seen, worst
from tradewind.processors.health.trend import trend

Windows: TypeAlias = Mapping[Reads, tuple[Seen, ...]]
"""The last looks at each partition that each group reads, oldest first."""


@dataclass(frozen=True, slots=True)
class GroupsSeen:
    """What the table is made of."""

    declared: Mapping[str, Iterable[str]]
    """Group -> the topics that it reads, by their names on the cluster."""
    flow: FlowSeen
    windows: Windows
    inventory: Inventory | None


def groups_json(seen: GroupsSeen, namespace: str) -> list[dict[str, Any]]:
    """Return each declared group. One that Kafka does not know is UNKNOWN, and its lag is null."""
    by_group: defaultdict[str, dict[Reads, tuple[Seen, ...]]] = defaultdict(dict)
    for at, window in seen.windows.items():
        by_group[at[0]][at] = window
    return [
        _group(group, sorted(topics), seen, by_group.get(group, {}), namespace)
        for group, topics in sorted(seen.declared.items())
        if topics
    ]


def _group(group: str, topics: list[str], seen: GroupsSeen, windows: Windows, namespace: str) -> dict[str, Any]:
    kafka = None if seen.inventory is None else seen.inventory.groups.get(group)
    name = group.removeprefix(namespace).removeprefix("tradewind.")
    readers = seen.flow.readers.get(name, {})
    moved = trend(windows.values())
    ages = [reader["lag_s"] for reader in readers.values()]
    waits = [reader["catch_up_s"] for reader in readers.values()]
    state = worst([reader["state"] for reader in readers.values()])
    since = [reader["since"] for reader in readers.values() if reader["state"] == state]
    return {
        "name": name,
        "group": group,
        "state": state,
        "since": min(since, default=None),
        "lag": str(sum(int(reader["lag"]) for reader in readers.values())) if readers else None,
        "lag_s": max(ages) if ages and None not in ages else None,
        "catch_up_s": max(waits) if waits and None not in waits else None,
        "trend_per_s": None if moved.per_s is None else round(moved.per_s, 3),
        "history": [[round(at, 1), lag] for at, lag in moved.points],
        "kafka_state": None if kafka is None else kafka.state,
        "members": None if kafka is None else len(kafka.members),
        "topics": [
            _topic(topic.removeprefix(namespace), readers.get(topic.removeprefix(namespace)), topic, windows, kafka)
            for topic in topics
        ],
    }


def _topic(
    name: str,
    reader: Mapping[str, Any] | None,
    physical: str,
    windows: Windows,
    kafka: GroupSeen | None,
) -> dict[str, Any]:
    if reader is None:
        return {"topic": name, "state": "UNKNOWN", "lag": None, "lag_s": None, "catch_up_s": None, "partitions": []}
    states = {one["partition"]: one["state"] for one in reader["partitions"]}
    last = {at[2]: taken[-1] for at, taken in windows.items() if at[1] == physical}
    return {
        "topic": name,
        "state": reader["state"],
        "lag": reader["lag"],
        "lag_s": reader["lag_s"],
        "catch_up_s": reader["catch_up_s"],
        "partitions": [
            {
                "partition": number,
                "position": str(one.position),
                "end": str(one.end),
                "lag": str(one.lag),
                "lag_s": one.lag_s,
                "state": states.get(number, "UNKNOWN"),
                "member": _member(kafka, physical, number),
            }
            for number, one in sorted(last.items())
        ],
    }


def _member(kafka: GroupSeen | None, topic: str, number: int) -> str | None:
    """Return the client and host that read a partition; None where nobody does."""
    members = () if kafka is None else kafka.members
    return next((f"{one.client_id} at {one.host}" for one in members if (topic, number) in one.partitions), None)
