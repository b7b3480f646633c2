"""A kind of call: its topics, and how one is performed. AI providers are one; venues and payments will be others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tradewind.connectors.calls.call import Unsent
from tradewind.schemas.event import Event
from tradewind.topics import Topic


@dataclass(frozen=True, slots=True)
class Terms:
    """Whose a call is, and when it may be sent; times are µs since 1970 by the caller's clock."""

    tenant: str
    not_before_us: int
    deadline_us: int
    lane: str = ""
    """What it shares with other calls, such as a provider's key."""
    lane_most: int = 0
    """How many calls of the lane one caller may have in flight; 0 for any number."""


def _nobody(_: str) -> None:
    """Take what nobody asks for."""


class Sending:
    """What a call in flight says of itself."""

    __slots__ = ("sent", "text")

    def __init__(self) -> None:
        self.text: Callable[[str], None] = _nobody
        """Takes the text of an answer while it comes, part by part, if it comes in parts."""
        self.sent = False
        """Whether any byte of it may have left: set it before the first one does."""


class Kind(Protocol):
    """One kind of calls."""

    @property
    def name(self) -> str:
        """Names the group, `tradewind.caller-NAME`, and the dead letters, `caller-NAME.dlq`."""
        ...

    @property
    def calls(self) -> Topic:
        """The topic of what is ordered."""
        ...

    @property
    def attempts(self) -> Topic:
        """The topic of what came of it."""
        ...

    def terms(self, call: Event) -> Terms:
        """Return the terms of a call."""
        ...

    def outcome(self, attempt: Event) -> str:
        """Return the name of what came of a call, for metrics: one of a few."""
        ...

    def unsent(self, call: Event, why: Unsent, now_us: int) -> Event:
        """Return the attempt that says why there was none."""
        ...

    async def perform(self, call: Event, sending: Sending) -> Event:
        """Perform a call, at most once, and return its attempt, whatever happens.

        Ends by the deadline of the call. If it is cancelled, the caller reports the call as `LOST`, or as `RETURNED` if
        `sending.sent` is False.
        """
        ...

    async def open(self) -> None:
        """Prepare connections, in the loop that performs calls."""
        ...

    async def close(self) -> None:
        """Close them."""
        ...
