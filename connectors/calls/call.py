"""A call as the claims loop sees it: where it stands, whose it is, and when it may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tradewind.connectors.kafka.offsets import Place
from tradewind.schemas.event import Event

At = tuple[Place, int]
"""A partition and an offset."""


class Unsent(Enum):
    """How a call ends without an attempt by its caller."""

    LOST = "LOST"
    """It was claimed, and no attempt is known: it may have been done."""
    RETURNED = "RETURNED"
    """It was claimed, and surely not sent."""
    EXPIRED = "EXPIRED"
    """Its deadline passed before it was sent."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A call that was read. Times are µs since 1970 by the caller's clock."""

    at: At
    tenant: str
    event: Event
    not_before_us: int
    deadline_us: int
    size: int
    """Encoded bytes."""
    lane: str = ""
    lane_most: int = 0
    """How many calls of the lane may be in flight; 0 for any number."""

    @property
    def place(self) -> Place:
        """Its partition."""
        return self.at[0]

    @property
    def offset(self) -> int:
        """Its offset."""
        return self.at[1]


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """The end of a call, to be published: an attempt, or why there was none."""

    call: Call
    how: Event | Unsent
    claimed: bool = True
    """Whether this caller has claimed the call. If not, the ending is void without the lease that it was found under:
    the next owner of the partition finds it, too."""
