"""What the connections of a process share of the channels of account events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tradewind.connectors.gateway.cursors import Cursors
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream.delivery import Delivery
from tradewind.connectors.gateway.stream.feed import EventChannel, Feed, Filter, Offsets, Stood
from tradewind.connectors.gateway.wire import encoded

NEWEST: Final = 100
"""Records in the snapshot of a channel that PostgreSQL does not keep."""
Standing = Callable[[EventChannel, Filter], Awaitable[Stood | None]]
"""Returns what PostgreSQL has of a channel; None where it keeps none of it. Raises `Problem` where it is away."""


@dataclass(frozen=True, slots=True)
class Events:
    """The feeds, what stands before them, and the tokens of places in them."""

    feeds: Mapping[EventChannel, Feed]
    standing: Standing
    cursors: Cursors

    def delivery(self, channel: EventChannel, wanted: Filter) -> Delivery:
        """Return a place in a channel, at its beginning; raises `Problem` (503) while Kafka has not told where."""
        feed = self.feeds[channel]
        if not feed.begun:
            raise Problem(
                503,
                "KAFKA_AWAY",
                f"the records of {channel} have not been read yet",
                "subscribe again in some seconds",
                headers={"Retry-After": "2"},
            )
        return Delivery(channel, feed, wanted, lambda at: self._token(channel, wanted.tenant_id, at))

    def offsets(self, channel: EventChannel, wanted: Filter, token: str) -> Offsets | None:
        """Return the place of a token; None if records behind it are kept no more.

        Raises `Problem` (400) for a token of another channel, tenant, topic or installation.
        """
        opened = self.cursors.opened(self._name(channel), wanted.tenant_id, token)
        offsets = dict(enumerate(opened))
        return offsets if self.feeds[channel].reaches(offsets) else None

    async def begin(self, delivery: Delivery) -> list[bytes]:
        """Place a delivery behind what stands now; returns the frames that tell it.

        A second one says that records between what stands and the first that is kept were missed: the sink is behind.
        """
        feed, wanted = self.feeds[delivery.channel], delivery.wanted
        stood = await self.standing(delivery.channel, wanted)
        if stood is None:
            numbers = feed.newest(wanted, NEWEST)
            delivery.place(feed.next)
            return [delivery.snapshot(b"[" + b",".join(map(feed.data, numbers)) + b"]")]
        delivery.place(stood.offsets)
        frames = [delivery.snapshot(encoded(list(stood.rows)))]
        if not feed.reaches(stood.offsets):
            frames.append(gap(delivery.channel, "PostgreSQL's sink is further behind than records are kept here"))
        return frames

    def _token(self, channel: EventChannel, tenant_id: str | None, at: Offsets) -> str:
        return self.cursors.token(self._name(channel), tenant_id, [at[partition] for partition in sorted(at)])

    def _name(self, channel: EventChannel) -> str:
        return f"stream {channel} {self.feeds[channel].topic_id}"


def gap(channel: EventChannel, why: str) -> bytes:
    """Return the frame that says that records were missed."""
    return encoded({"op": "gap", "channel": channel, "reason": why})
