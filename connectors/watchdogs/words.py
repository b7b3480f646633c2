"""Complaints and partitions in words."""

from __future__ import annotations

from collections.abc import Iterable

from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.watchdogs.watchdog import Stuck


def named(partitions: Iterable[Place]) -> str:
    """Return partitions in words, topic by topic."""
    by_topic: dict[str, list[int]] = {}
    for topic, partition in sorted(partitions):
        by_topic.setdefault(topic, []).append(partition)
    return "; ".join(
        f"{topic}, partition{'s' * (len(of) > 1)} {', '.join(map(str, of))}" for topic, of in by_topic.items()
    )


def describe(stuck: Stuck, group: str, now_s: float) -> str:
    """Return a complaint in words."""
    for_s = f"for {now_s - stuck.since_s:.0f} s"
    if stuck.kind == "position":
        assert stuck.source is not None
        topic, partition = stuck.source
        because = f"; {stuck.detail}" if stuck.detail else ""
        stands = f"{topic}, partition {partition}, stands at {stuck.at} {for_s}"
        return f"{group}: {stands} with {stuck.behind} to read{because}"
    if stuck.kind == "transaction":
        of = f", the current batch is of {named(stuck.among)}" if stuck.among else ""
        return f"{group}: no transaction has committed {for_s}{of}"
    if stuck.kind == "restore":
        return f"{group}: a restore has read nothing more {for_s}; it {stuck.detail}"
    if stuck.kind == "assignment":
        return f"{group}: {stuck.detail} {for_s}"
    return f"{group}: the broker has not answered {for_s}"
