"""A door: whatever serves tenants and counts what they use of it, such as `consume --tenant` or a gateway."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from threading import Event, Thread
from types import TracebackType
from typing import Final, Protocol, Self
from uuid import uuid4

from tradewind.connectors.billing.outbox import Outbox
from tradewind.connectors.billing.tally import Tally
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import Settings
from tradewind.processors.billing.meters import API_CALLS, TICKS
from tradewind.processors.identity import instrument
from tradewind.schemas.billing import Usage
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Tick

TALLY_S: Final = 10.0  # what a killed door loses at most
LOOK_S: Final = 0.5  # to hear of deliveries, and to send sooner if many tenants come at once
CLOSE_S: Final = 5.0  # to send the rest; a restarted broker takes longer, and then the rest is lost
log = logging.getLogger(__name__)


class Sends(Protocol):
    """What a door needs of an outbox."""

    @property
    def waiting(self) -> int: ...  # noqa: D102 - as `Outbox`

    def send(self, records: Sequence[Usage]) -> None: ...  # noqa: D102

    def tend(self) -> None: ...  # noqa: D102

    def close(self, within_s: float) -> int: ...  # noqa: D102


class Door(AbstractContextManager["Door"]):
    """Counts what tenants use, for any thread, and sends one record for each tenant, meter and dimension each 10 s.

    Nothing is taken from the tally before the broker has the last take. If Kafka is away, counters grow up to their
    limit, and no further: a door never waits for its counts. Leaving the context sends the rest.
    """

    def __init__(self, tally: Tally, outbox: Sends, every_s: float = TALLY_S, look_s: float = LOOK_S) -> None:
        self.tally = tally
        self._outbox = outbox
        self._every_s = every_s
        self._look_s = look_s
        self._stop = Event()
        self._thread = Thread(target=self._run, name="door", daemon=True)
        self._told_of = 0

    @classmethod
    def opened(cls, name: str, settings: Settings, codec: Codec) -> Door:
        """Return a door that sends to Kafka, as a source of its own."""
        tally = Tally(name, uuid4().hex, clock_us, lambda: time.monotonic_ns() // 1_000)
        return cls(tally, Outbox(settings, codec))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._outbox.send(self.tally.take())
        if lost := self._outbox.close(CLOSE_S):
            log.warning("%s usage records of %s are lost: Kafka did not take them", f"{lost:,}", self.tally.source)

    def called(self, tenant_id: str, route: str) -> None:
        """Count a call of the API."""
        self.tally.count(tenant_id, API_CALLS, route)

    def served(self, tenant_id: str, event: object) -> None:
        """Count an event that a tenant was served, where a meter counts its kind: a tick, by instrument."""
        if isinstance(event, Tick):
            self.tally.count(tenant_id, TICKS, instrument(event.symbol, event.venue))

    def _run(self) -> None:
        taken = time.monotonic()
        while not self._stop.wait(self._look_s):
            self._outbox.tend()
            due = time.monotonic() - taken >= self._every_s or self.tally.full
            if due and not self._outbox.waiting:
                taken = time.monotonic()
                self._outbox.send(self.tally.take())
            if self.tally.dropped > self._told_of:
                self._told_of = self.tally.dropped
                log.warning(
                    "%s units of %s are not counted: too many counters", f"{self._told_of:,}", self.tally.source
                )
