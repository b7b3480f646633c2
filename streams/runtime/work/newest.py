"""Of the time carriers that a task sends in one transaction, keep the newest of each key.

A transaction becomes visible at once, so nobody could act on an earlier carrier before the newest. Without this, a full
speed replay would send each heartbeat to every partition of a stage (docs/adr/0047-risk-by-account.md).
"""

from __future__ import annotations

from typing import Protocol, cast

from tradewind.schemas.event import Event
from tradewind.streams.runtime.commit.outbox import Outgoing


class _Timed(Protocol):
    ts_event: int


def time_of(carrier: Event) -> int:
    """Return the event time of a time carrier, µs."""
    return cast("_Timed", carrier).ts_event


def keep_newest(messages: list[Outgoing], first: int) -> None:
    """Remove each time carrier from `first` on that a later one with the same place and key makes needless.

    A carrier that reaches further than all that follow stays. Order and all other messages stay as they are.
    """
    furthest: dict[tuple[str, int, bytes | None], int] = {}
    kept: list[Outgoing] = []
    for message in reversed(messages[first:]):
        if message.reached is not None:
            of = message.topic, message.partition, message.key
            known = furthest.get(of)
            if known is not None and known >= message.reached:
                continue
            furthest[of] = message.reached
        kept.append(message)
    if len(kept) < len(messages) - first:
        messages[first:] = reversed(kept)
