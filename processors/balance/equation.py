"""An equation of the balance: what must be equal, what is still on its way, and what breaks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

MOST_NAMED: Final = 20
"""Differences that an equation names; all are counted."""


class Place(NamedTuple):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Return it as `topic/partition@offset`."""
        return f"{self.topic}/{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Difference:
    """What breaks an equation."""

    at: str
    """The record, as `topic/partition@offset`, or the row."""
    said: str
    tenant_id: str | None = None


@dataclass(slots=True)
class Equation:
    """`left` = `right` + `waiting`, where no difference is named."""

    name: str
    """Such as `order requests = decisions`."""
    left: int = 0
    right: int = 0
    waiting: int = 0
    """What has been written, and not yet taken by who must answer it. It breaks nothing."""
    differences: int = 0
    named: list[Difference] = field(default_factory=list)
    """The first differences, in the order of their topics."""
    note: str = ""
    """What could not be compared, and why."""

    @property
    def balanced(self) -> bool:
        """Whether nothing breaks it."""
        return self.differences == 0

    def breaks(self, at: Place | str, said: str, tenant_id: str | None = None) -> None:
        """Count a difference; the first ones are named."""
        self.differences += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(Difference(str(at), said, tenant_id))
