"""Which kill switches must be published again: what PostgreSQL kept against what the topic has. It asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tradewind.schemas.risk import KillSwitch

Whose = tuple[str | None, str | None]
"""(tenant, account); None is every one."""
UNPLACED = -1
"""The place of a command that was kept before places were."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last command of a partition for somebody, as PostgreSQL kept it."""

    command: KillSwitch
    partition: int = 0
    place: int = UNPLACED
    """Its offset."""
    topic_id: str | None = None
    """Kafka's id of the topic, offsets of two topics cannot be compared. None if Kafka did not say."""


@dataclass(frozen=True, slots=True)
class OnTopic:
    """What the topic has."""

    commands: Mapping[int, Mapping[int, KillSwitch]] = field(default_factory=dict)
    """Partition -> offset -> command, in the order of offsets, which is the order that agents obey."""
    topic_id: str | None = None

    def last(self) -> list[Kept]:
        """Return the last command of each partition for each, with its place."""
        found: dict[tuple[int, Whose], Kept] = {}
        for partition, commands in self.commands.items():
            for place, command in commands.items():
                found[partition, whose(command)] = Kept(command, partition, place, self.topic_id)
        return list(found.values())


def whose(switch: KillSwitch) -> Whose:
    """Return whom a command is for."""
    return switch.tenant_id, switch.account_id


def named(of: Whose) -> str:
    """Return whom a switch is for in words."""
    tenant, account = of
    if tenant is None:
        return "every tenant"
    return tenant if account is None else f"{tenant}/{account}"


def current(kept: Iterable[Kept], topic: OnTopic) -> dict[Whose, KillSwitch]:
    """Return the command that holds for each: the last one of the topic, or what only PostgreSQL still has.

    Order of arrival decides, never a clock. Of a command that the topic has lost, nobody knows what came after it on
    another topic: it holds where it engages.
    """
    holds = _of_topic(topic)
    for one in kept:
        if _is_told_by(topic, one):
            continue
        before = holds.get(whose(one.command))
        if before is None or (one.command.engaged and not before.engaged):
            holds[whose(one.command)] = one.command
    return holds


def lost(kept: Iterable[Kept], topic: OnTopic) -> list[KillSwitch]:
    """Return the engaged switches that some partition of the topic does not end with, in the order of their times.

    A broadcast topic has each command in every partition. Only engaged ones are returned: a release that was lost
    leaves a tenant halted, which a person sees and can lift again.
    """
    engaged = {(one.partition, whose(one.command)) for one in topic.last() if one.command.engaged}
    missing = [
        command
        for of, command in current(kept, topic).items()
        if command.engaged
        and (not topic.commands or any((partition, of) not in engaged for partition in topic.commands))
    ]
    return sorted(missing, key=lambda command: (command.ts_event, command.event_id))


def halted(held: Mapping[Whose, KillSwitch]) -> list[KillSwitch]:
    """Return the engaged ones by whom they are for."""
    engaged = (command for command in held.values() if command.engaged)
    return sorted(engaged, key=lambda command: (command.tenant_id or "", command.account_id or ""))


def _of_topic(topic: OnTopic) -> dict[Whose, KillSwitch]:
    """Return what the partitions end with for each; where they disagree, what none of them has something after.

    Where that leaves both, an engaged one.
    """
    runs: dict[Whose, dict[int, list[KillSwitch]]] = {}
    for partition, commands in topic.commands.items():
        for command in commands.values():
            runs.setdefault(whose(command), {}).setdefault(partition, []).append(command)
    found = {}
    for of, by_partition in runs.items():
        ends: list[KillSwitch] = []
        ends.extend(run[-1] for run in by_partition.values() if run[-1] not in ends)
        passed = [end for end in ends if any(end in run[:-1] and end != run[-1] for run in by_partition.values())]
        latest = [end for end in ends if end not in passed] or ends
        found[of] = next((end for end in latest if end.engaged), latest[0])
    return found


def _is_told_by(topic: OnTopic, one: Kept) -> bool:
    """Return whether the topic has a kept command, or had it and has a later one: then the topic says what holds."""
    if one.place == UNPLACED:
        return any(one.command in commands.values() for commands in topic.commands.values())
    commands = topic.commands.get(one.partition, {})
    if one.place in commands:
        return commands[one.place] == one.command
    if one.topic_id is None or one.topic_id != topic.topic_id:
        return False
    return any(place > one.place and whose(later) == whose(one.command) for place, later in commands.items())
