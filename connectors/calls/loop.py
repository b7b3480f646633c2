"""The loop of a caller: reads calls, claims those whose turn it is, performs them, and publishes what came of them.

One asyncio loop holds the book (`book.py`). Two threads help it: one owns the consumer (`reader.py`), one owns the
producer (`transactions.py`). At most one transaction is on its way. Calls that come in meanwhile share the next one.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, TypeVar

from confluent_kafka import Message

from tradewind.connectors.calls.book import Book, Step
from tradewind.connectors.calls.call import Call, Unsent
from tradewind.connectors.calls.claims import Written
from tradewind.connectors.calls.counters import Counters
from tradewind.connectors.calls.kept import Kept, claims_topic
from tradewind.connectors.calls.kind import Kind, Sending
from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.calls.reader import Assignment, Polled, Reader
from tradewind.connectors.calls.transactions import Transactions
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.offsets import Place
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.loop.dead_letters import DeadLetters, Rejected
from tradewind.schemas.codec import Codec
from tradewind.schemas.codec.errors import UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.flaws import flaw_of

log = logging.getLogger(__name__)
T = TypeVar("T")


class Caller:
    """Performs the calls of one kind until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        kind: Kind,
        codec: Codec,
        limits: Limits | None = None,
        clock: Callable[[], int] = clock_us,
    ) -> None:
        self.kind = kind
        self.limits = limits or Limits()
        self.counters = Counters()
        self.name = f"caller-{kind.name}"
        self.group = settings.physical(f"tradewind.{self.name}")
        self._settings, self._codec, self._clock = settings, codec, clock
        marks = claims_topic(self.name, kind.calls)
        self._kept, self._calls = settings.physical(marks), settings.physical(kind.calls)
        self.book = Book(self.limits.in_flight, self.limits.tenant_in_flight, self.limits.step_endings)
        self._letters = DeadLetters(settings, self.name, codec)
        self._transactions = Transactions(
            settings, kind, codec, clock, caller=self.name, marks=marks, transaction_s=self.limits.transaction_s
        )
        self._reader: Reader | None = None
        self._backlog: dict[Place, deque[Message | int]] = {}
        self._flights: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._under: Assignment | None = None
        """The assignment that the book was opened under."""
        self._handed_over = threading.Event()
        self._handing_over = False
        self._over = False
        """Whether nobody takes turns any more, and so nothing in flight ends."""
        self._writing = False
        self._without_lease_s = time.monotonic()
        self._tidied_s = 0.0
        self._consuming = ThreadPoolExecutor(1, f"{self.name}-reads")
        self._producing = ThreadPoolExecutor(1, f"{self.name}-claims")

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; raises what stopped the caller otherwise.

        Ends within 5 s of `stop` if Kafka answers.
        """
        self._loop = asyncio.get_running_loop()
        reader = self._reader = Reader(
            self._settings,
            self.group,
            self._calls,
            limits=self.limits,
            kept=Kept(self._settings, self._kept, self._codec, self.limits.answer_s),
            revoking=self._revoking,
            assigned=self._awaken,
        )
        await self.kind.open()
        stopping = asyncio.create_task(stop.wait())
        reading = asyncio.create_task(self._read())
        try:
            await self._in(self._producing, self._transactions.open)
            while not stop.is_set():
                if reading.done():
                    reading.result()
                await self._turn(stopping)
            await self._end()
        finally:
            self._over = True
            stopping.cancel()
            reading.cancel()
            for flight in self._flights:
                flight.cancel()
            await asyncio.gather(stopping, reading, *self._flights, return_exceptions=True)
            await self._in(self._consuming, reader.close)
            await self.kind.close()
            self._consuming.shutdown()
            self._producing.shutdown()

    def positions(self) -> dict[Place, int]:
        """Return how far each partition is read. For any thread."""
        return {place: window.position for place, window in list(self.book.windows.items())}

    def unread(self) -> str:
        """Return why the caller reads nothing; empty where it reads. For any thread."""
        if self.book.lease is not None:
            return ""
        if self._reader is None or self._reader.assignment is None:
            return "it waits for an assignment of partitions"
        return self._reader.differs or "it waits for the group's positions: a transaction may be open"

    # -- turns --------------------------------------------------------------------------------------------------------

    async def _turn(self, stopping: asyncio.Task[bool] | None) -> None:
        """Take what came in, and write what there is to write; else wait for either."""
        self._wake.clear()
        await self._follow()
        await self._feed()
        now_s = time.monotonic()
        tidy = now_s - self._tidied_s > self.limits.tidy_s
        hold = self.book.lease is None and now_s - self._without_lease_s < self.limits.rejoin_s and stopping is not None
        step = self.book.plan(self._clock(), tidy=tidy, hold=hold, claim=not self._handing_over)
        if tidy:
            self._tidied_s = now_s
        if step:
            self._writing = True
            try:
                await self._write(step)
            finally:
                self._writing = False
            return
        if self._handing_over and not self._flights:
            self._handed_over.set()
        if stopping is not None:
            await self._wait(stopping)

    async def _wait(self, stopping: asyncio.Task[bool]) -> None:
        next_us = self.book.turns.next_us()
        wait_s = self.limits.idle_s
        if next_us is not None and not self._handing_over:
            wait_s = min(wait_s, max(0.001, (next_us - self._clock()) / 1_000_000))
        woken = asyncio.create_task(self._wake.wait())
        await asyncio.wait((woken, stopping), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        woken.cancel()

    async def _follow(self) -> None:
        """Follow what the group said: give up a lease that has ended, begin under one that is new."""
        assert self._reader is not None
        reader, book = self._reader, self.book
        assignment = reader.assignment
        if book.lease is not None and (assignment is None or assignment is not self._under):
            self._give_up()
        if assignment is None or assignment is self._under:
            return
        marks = await self._in(self._consuming, reader.marks, assignment)
        if marks is None or reader.assignment is not assignment:
            return
        book.open(assignment.lease, marks)
        self._backlog = {place: deque() for place in marks}
        self._under = assignment
        positions = {place: window.position for place, window in book.windows.items()}
        if await self._in(self._consuming, reader.begin, assignment, positions):
            log.info("%s: generation %d, %d partitions", self.group, assignment.lease.generation, len(marks))

    def _give_up(self) -> None:
        """Claim nothing more by the lease; what is in flight goes on."""
        self.book.close()
        self._backlog = {}
        self._under, self._handing_over = None, False
        self._without_lease_s = time.monotonic()

    async def _end(self) -> None:
        """Let calls in flight end for some time, then say what became of the rest."""
        self.book.stop()
        deadline = time.monotonic() + self.limits.stop_s
        while self._flights and time.monotonic() < deadline:
            await self._turn(None)
            await asyncio.wait(self._flights, timeout=self.limits.poll_s, return_when=asyncio.FIRST_COMPLETED)
        for flight in self._flights:
            flight.cancel()
        await asyncio.gather(*self._flights)
        deadline = time.monotonic() + self.limits.publish_s
        while self.book.unpublished and time.monotonic() < deadline:
            await self._turn(None)
        log.info("%s stopped: %s", self.group, self.counters)

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take records from the client, in the thread of the consumer, for as long as the caller runs."""
        assert self._reader is not None
        while True:
            full = {place for place, line in self._backlog.items() if len(line) >= self.limits.backlog_records}
            polled = await self._in(self._consuming, self._reader.poll, full)
            self._take(polled)

    def _take(self, polled: Polled) -> None:
        """Put records in line; those of another assignment are not of the windows that there are."""
        if polled.assignment is None or polled.assignment is not self._under:
            return
        for message in polled.records:
            self._backlog[message.topic(), message.partition()].append(message)
        for place, end in polled.ends.items():
            self._backlog[place].append(end)
        self.counters.read += len(polled.records)
        if polled.records or polled.ends:
            self._wake.set()

    async def _feed(self) -> None:
        """Give the book what lies within its windows, as far as memory allows."""
        for place, line in list(self._backlog.items()):
            while line and self.book.turns.size < self.limits.waiting_bytes:
                first = line[0]
                if isinstance(first, int):
                    taken = self.book.reached(place, first)
                else:
                    taken = await self._accept(place, first)
                if not taken:
                    break
                line.popleft()

    async def _accept(self, place: Place, message: Message) -> bool:
        """Take a record; return False if it must wait. One that is no call goes to the dead letters."""
        offset = message.offset()
        try:
            event = self._decoded(message)
        except NoCall as error:
            if not self.book.reached(place, offset):
                return False
            await self._in(
                self._producing, self._letters.send, self.kind.calls, [Rejected(message, error.kind, str(error))]
            )
            self.counters.undecodable += error.kind == "UNDECODABLE"
            self.counters.poison += error.kind == "POISON"
            return self.book.reached(place, offset + 1)
        if event is None:  # a tombstone
            return self.book.reached(place, offset + 1)
        terms = self.kind.terms(event)
        size = len(message.value())
        at, lane = (place, offset), (terms.lane, terms.lane_most)
        return self.book.read(Call(at, terms.tenant, event, terms.not_before_us, terms.deadline_us, size, *lane))

    def _decoded(self, message: Message) -> Event | None:
        """Return the call of a record; raises `NoCall`."""
        if message.value() is None:
            return None
        try:
            event = self._codec.decode(message.value())
        except UndecodableRecord as error:
            raise NoCall("UNDECODABLE", error.reason) from error
        if type(event) is not self.kind.calls.model:
            raise NoCall("UNDECODABLE", f"{event.SCHEMA} does not belong on {self.kind.calls.name}")
        if flaw := flaw_of(event):
            raise NoCall("POISON", flaw)
        return event

    # -- transactions -------------------------------------------------------------------------------------------------

    async def _write(self, step: Step) -> None:
        """Write a step, and send what it claims once it is committed."""
        transactions = self._transactions
        try:
            written = await self._in(self._producing, transactions.write, step, transactions.records(step))
        except StreamError as error:
            log.error("%s: a transaction is in doubt, reading the positions again: %s", self.group, error)  # noqa: TRY400
            self.book.failed(step, in_doubt=True)
            await self._open_again()
            return
        self.counters.transactions += 1
        if written is Written.COMMITTED:
            self.counters.ended(map(transactions.outcome, step.endings))
            for call in self.book.committed(step):
                self._send(call)
            return
        self.book.failed(step, in_doubt=False)
        if written is Written.REFUSED:
            self.counters.refused += 1
            log.warning("%s: a claim was refused, since the lease has ended; nothing of it was sent", self.group)
            if self.book.lease is step.lease:
                self._give_up()
        await asyncio.sleep(self.limits.pause_s)

    async def _open_again(self) -> None:
        """Open another producer under the same id, which ends the transaction in doubt, and begin again."""
        self._give_up()
        await asyncio.sleep(self.limits.pause_s)
        await self._in(self._producing, self._transactions.open)
        assert self._reader is not None
        self._reader.again()

    # -- calls --------------------------------------------------------------------------------------------------------

    def _send(self, call: Call) -> None:
        flight = asyncio.create_task(self._fly(call))
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)

    async def _fly(self, call: Call) -> None:
        """Perform a call, and tell the book what came of it."""
        sending = Sending()
        how: Event | Unsent
        try:
            if self._clock() >= call.deadline_us:  # the claim took long, or the process was frozen after it
                how = Unsent.EXPIRED
            else:
                self.counters.sent += 1
                how = await self.kind.perform(call.event, sending)
        except asyncio.CancelledError:
            how = Unsent.LOST if sending.sent else Unsent.RETURNED
        except Exception:
            log.exception("%s: a bug in performing a call, which counts as lost", self.group)
            how = Unsent.LOST
        self.book.ended(call, how)
        self._wake.set()

    # -- threads ------------------------------------------------------------------------------------------------------

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        """Return what a function returns in a thread, which does one thing after the other."""
        return await asyncio.get_running_loop().run_in_executor(thread, work, *arguments)

    def _awaken(self) -> None:
        """Wake the loop, from another thread."""
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._wake.set)

    def _revoking(self) -> None:
        """Wait, in the consumer's thread, for calls in flight to end under the lease; claim nothing meanwhile.

        An attempt that is published without a lease comes beside the `LOST` of the next owner.
        """
        if self._over or not (self._flights or self._writing or self.book.unpublished):
            return
        self._handed_over.clear()
        self._handing_over = True
        self._awaken()
        self._handed_over.wait(self.limits.handover_s)


class NoCall(Exception):
    """A record that is no call: `kind` of the dead letter, and why."""

    def __init__(self, kind: Literal["UNDECODABLE", "POISON"], reason: str) -> None:
        super().__init__(reason)
        self.kind: Literal["UNDECODABLE", "POISON"] = kind
