"""A worker that holds a transaction between its offsets and its commit when it is ordered to, and says what came of it.

    python -m tradewind.infra.bench.parts.faults.held_worker NAME PARTITIONS LATENCY_S|paced 0|1...

An order is an empty file in `$TRADEWIND_DATA/workers`, named for the process and for what to do. Who removes it has it:
the worker, which obeys at once, or who gave it and waits no longer. A signal could neither be taken back nor be sent
before the worker listens. The worker logs what it does, one JSON object a line:

    staged     group, member and partitions of the transaction that is held; the worker freezes or waits then
    answered   how the commit ended that was asked for after that
    went on    the same agent has committed again, where that commit failed

All three carry the number of the transaction among those that the process has held. The worker's timings are in the
environment: see `variables`.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from confluent_kafka import Producer

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts import hops
from tradewind.streams.runtime import worker
from tradewind.streams.runtime.commit.outbox import Draft, Outbox, Outcome, Patience
from tradewind.streams.runtime.lease import Lease
from tradewind.streams.runtime.timings import USUAL, Timings

MODULE = "tradewind.infra.bench.parts.faults.held_worker"
FOLDER = "workers"  # of orders and logs, in the data folder
LOOK_S = 4.0  # Kafka looks each second for transactions that have timed out; the rest is for a busy machine
Order = Literal["freeze", "overstay"]
ORDERS: tuple[Order, ...] = ("freeze", "overstay")
Step = Literal["staged", "answered", "went on"]
NUMBERS = itertools.count(1)
TIMINGS = "TRADEWIND_HELD_WORKER_TIMINGS"
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

    def __init__(
        self,
        orders: Orders,
        settings: Settings,
        transactional_id: str,
        timings: Timings = USUAL,
        held_s: float | None = None,
    ) -> None:
        """Overstay by `held_s`, or for as long as `overstay_s` says."""
        super().__init__(settings, transactional_id, timings)
        self._orders = orders
        self._held_s = overstay_s(timings) if held_s is None else held_s
        self._lease: Lease | None = None
        self._work = False
        """Whether the current transaction carries more than offsets: a first start's does not."""
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
            time.sleep(self._held_s)
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


def overstay_s(timings: Timings) -> float:
    """Return how long a living worker leaves a transaction uncommitted: its time is over, and a session would be."""
    return max(timings.transaction_s, timings.session_s) + LOOK_S


def variables(timings: Timings) -> Mapping[str, str]:
    """Return the environment that gives a held worker its timings."""
    return {TIMINGS: json.dumps(asdict(timings))}


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
    """Run agents, with outboxes that obey orders, until SIGTERM."""
    orders = Orders(Settings().data / FOLDER)
    worker.Outbox = partial(HeldOutbox, orders)  # type: ignore[attr-defined, assignment]
    hops.main(Timings(**json.loads(os.environ.get(TIMINGS, "{}"))))


if __name__ == "__main__":
    main()
