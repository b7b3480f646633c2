"""The life of an order: which trigger leads from which status to which.

The rule of the table: an order is accepted or rejected once; an accepted one ends once; nothing follows an end.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["ACCEPTED", "FILLED", "EXPIRED", "CANCELED", "REJECTED"]


class Trigger(Enum):
    """What happens to an order."""

    ACCEPT = auto()
    REJECT = auto()
    FILL = auto()
    EXPIRE = auto()
    CANCEL = auto()


TRANSITIONS: dict[tuple[Status | None, Trigger], Status] = {
    (None, Trigger.ACCEPT): "ACCEPTED",
    (None, Trigger.REJECT): "REJECTED",
    ("ACCEPTED", Trigger.FILL): "FILLED",
    ("ACCEPTED", Trigger.EXPIRE): "EXPIRED",
    ("ACCEPTED", Trigger.CANCEL): "CANCELED",
}
"""(status, trigger) -> status; None is the status of an order that the venue has not seen."""
FINAL: frozenset[Status] = frozenset(TRANSITIONS.values()) - {before for before, _ in TRANSITIONS if before is not None}
"""Statuses that nothing follows."""


class IllegalTransition(RuntimeError):
    """A trigger that an order in this status cannot have: a bug of the venue, and no fault of the record."""


def after(status: Status | Literal["UNKNOWN"] | None, trigger: Trigger) -> Status:
    """Return the status that follows; raises `IllegalTransition` where the table has none."""
    follows = None if status == "UNKNOWN" else TRANSITIONS.get((status, trigger))
    if follows is None:
        raise IllegalTransition(f"an order that is {status or 'unknown'} cannot {trigger.name.lower()}")
    return follows
