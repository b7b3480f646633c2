"""A worker that holds a transaction between its offsets and its commit when it is ordered to, and says what came of it.

    python -m tradewind.infra.bench.parts.held_worker NAME PARTITIONS 0|1...

An order is an empty file in `$TRADEWIND_DATA/workers`, named for the process and for what to do. Who removes it has it:
the worker, which obeys at once, or who gave it and waits no longer. A signal could neither be taken back nor be sent
before the worker listens. What the worker does is told in its log, one JSON object a line:

    staged     group, member and partitions of the transaction that is held; the worker freezes or waits then
    answered   how the commit ended that was asked for after that
    went on    the same agent has committed again, where that commit failed

All three carry the number of the transaction among those that the process has held.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from confluent_kafka import Producer

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts import hops
from tradewind.streams.runtime import worker
from tradewind.streams.runtime.consumer_thread import SESSION_MS
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.outbox import TRANSACTION_MS, Draft, Outbox, Outcome, Patience

MODULE = "tradewind.infra.bench.parts.held_worker"
FOLDER = "workers"  # of orders and logs, in the data folder
LOOK_S = 4.0  # Kafka looks each second for transactions that have timed out; the rest is for a busy machine
OVERSTAY_S = max(TRANSACTION_MS, SESSION_MS) / 1000 + LOOK_S
"""How long a transaction is left uncommitted by a worker that lives: its time is over, and a session would be, too."""
Order = Literal["freeze", "overstay"]
ORDERS: tuple[Order, ...] = ("freeze", "overstay")
Step = Literal["staged", "answered", "went on"]
NUMBERS = itertools.count(1)
log = logging.getLogger(MODULE)


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders to workers, in a folder that they share with who gives them."""

    folder: Path

    def give(self, pid: int, order: Order) -> None:
        """Have a process hold the next transaction that it would commit."""
        self._path(pid, order).touch()

    def take(self, pid: int, order: Order) -> bool:
        """Take an order, to obey it or to take it back; False where there is none, or the other has taken it."""
        try:
            self._path(pid, order).unlink()
        except FileNotFoundError:
            return False
        return True

    def _path(self, pid: int, order: Order) -> Path:
        return self.folder / f"{pid}.{order}"


class HeldOutbox(Outbox):
    """An outbox that obeys orders where a transaction has all but its commit."""

    def __init__(self, orders: Orders, settings: Settings, transactional_id: str) -> None:
        super().__init__(settings, transactional_id)
        self._orders = orders
        self._lease: Lease | None = None
        self._work = False
        """Whether the transaction in hand carries more than offsets: a first start's does not."""
        self._held = 0
        """The number of the transaction that was held and has failed, until another one is committed."""

    def send(self, draft: Draft, lease: Lease, patience: Patience) -> Outcome:
        """Run one transaction, as every outbox does."""
        self._lease, self._work = lease, bool(draft.messages)
        return super().send(draft, lease, patience)

    def _commit(self, producer: Producer, patience: Patience) -> Outcome:
        order = next((each for each in ORDERS if self._work and self._orders.take(os.getpid(), each)), None)
        if order is None:
            outcome = super()._commit(producer, patience)
            if self._held and outcome.kind == "committed":
                self._say("went on", self._held)
                self._held = 0
            return outcome
        number = next(NUMBERS)
        self._say("staged", number)
        begun = time.monotonic()
        if order == "freeze":
            # To this thread: sent to the process, another one may take it, and this one would go on for a moment.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        else:
            time.sleep(OVERSTAY_S)
        held_s = time.monotonic() - begun
        outcome = super()._commit(producer, patience)
        self._held = 0 if outcome.kind == "committed" else number
        self._say("answered", number, kind=outcome.kind, reason=outcome.reason, held_s=round(held_s, 1))
        return outcome

    def _say(self, step: Step, number: int, **more: str | float) -> None:
        assert self._lease is not None  # `send` has set it
        lease = self._lease
        partitions = sorted(lease.partitions)
        what = {"number": number, "group": lease.group, "member": lease.member, "partitions": partitions, **more}
        log.info("%s %s", step, json.dumps(what))


def told(text: str, step: Step, number: int | None = None) -> dict[str, Any] | None:
    """Return the first of a kind that a piece of a worker's log tells, of any held transaction or of one; or None."""
    mark = f"{MODULE}: {step} "
    for line in text.splitlines(keepends=True):
        _, found, what = line.partition(mark)
        if found and line.endswith("\n"):  # else it is still being written
            parsed: dict[str, Any] = json.loads(what)
            if number in (None, parsed["number"]):
                return parsed
    return None


def main() -> None:
    """Run agents until told to stop, by outboxes that obey."""
    orders = Orders(Settings().data / FOLDER)
    worker.Outbox = partial(HeldOutbox, orders)  # type: ignore[attr-defined, assignment]
    hops.main()


if __name__ == "__main__":
    main()
