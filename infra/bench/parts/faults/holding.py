"""Orders a worker to hold a transaction, and sees that what was to happen meanwhile did: or else it was no such fault.

Frozen: the process has stopped itself between the offsets and the commit of a transaction. The group has expelled it
and given all its partitions to others, and the transaction's time is over, before it is woken. Overstayed: the process
lives, and its member stays in the group, while the transaction's time passes. In both cases the coordinator has aborted
the transaction, so that the commit must be refused.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.faults.groups import Group, Groups, Undescribed
from tradewind.infra.bench.parts.faults.held_worker import LOOK_S, Order, Orders, Step, overstay_s, told
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.timings import Timings

POLL_S = 0.1
REFUSALS = {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH", "INVALID_TXN_STATE"}
"""Errors of a producer that tries to commit what the coordinator has aborted. An outbox takes no error as proof that
nothing is visible, so it may still call the outcome in doubt."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long each step may take, in seconds."""

    meet_s: float = 30.0
    """For a worker to come to its next commit: it may be in a rebalance, or restoring."""
    say_s: float = 5.0
    """From taking an order to telling so, and from telling to standing still."""
    frozen_s: float
    """How long a worker stays frozen at least."""
    overstay_s: float
    """How long a living worker leaves its transaction uncommitted."""
    taken_over_s: float = 60.0
    """A session, and two rebalances that wait for members that were killed before."""
    answer_s: float
    """For the answer to a commit, which is asked for again while it may yet come."""

    @classmethod
    def of(cls, timings: Timings) -> Bounds:
        """Return the bounds of workers with these timings."""
        return cls(
            frozen_s=timings.transaction_s + LOOK_S,
            overstay_s=overstay_s(timings),
            answer_s=timings.patience_s + 10.0,
        )


class Missed(Exception):
    """What was to be done did not happen; says what did."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A transaction that a worker holds."""

    number: int
    """Among those that its process has held."""
    group: str
    member: str
    partitions: frozenset[TopicPartition]

    @classmethod
    def of(cls, what: Mapping[str, Any]) -> Staged:
        """Return the staged transaction that the worker has logged."""
        partitions = frozenset((str(topic), int(partition)) for topic, partition in what["partitions"])
        return cls(int(what["number"]), str(what["group"]), str(what["member"]), partitions)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a worker says from some point of its log on."""

    pid: int
    log: Path
    since: int

    @classmethod
    def from_now(cls, pid: int, log: Path) -> Hearing:
        """Return what it will say."""
        return cls(pid, log, log.stat().st_size)

    def hear(self, step: Step, seconds: float, number: int | None = None) -> dict[str, Any]:
        """Wait for what it says of any transaction, or of one; raises `Missed` where that does not come."""

        def new() -> dict[str, Any] | None:
            found = told(self.log.read_bytes()[self.since :].decode("utf-8", "replace"), step, number)
            if found is None and state_of(self.pid) in ("", "Z"):
                raise Missed(f"process {self.pid} ended before it said {step!r}")
            return found

        return _awaited(new, seconds, f"process {self.pid} did not say {step!r}")


class Holding:
    """Gives orders to workers, one at a time."""

    def __init__(self, settings: Settings, folder: Path, bounds: Bounds) -> None:
        self._bounds = bounds
        self._orders = Orders(folder)
        self._groups = Groups(settings)

    def close(self) -> None:
        """Give no more orders."""
        self._groups.close()

    def freeze(self, pid: int, log: Path) -> str:
        """Freeze a worker, and wake it when others have its partitions; returns what was seen, or raises `Missed`."""
        hearing = Hearing.from_now(pid, log)
        staged = self._staged(hearing, "freeze")
        try:
            begun = time.monotonic()
            _awaited(lambda: state_of(pid) == "T" or None, self._bounds.say_s, f"process {pid} did not stop itself")
            heirs = self._heirs(pid, staged)
            time.sleep(max(0.0, begun + self._bounds.frozen_s - time.monotonic()))
            if (state := state_of(pid)) != "T":
                raise Missed(f"process {pid} was woken by somebody: its state is {state!r}")
        finally:
            os.kill(pid, signal.SIGCONT)
        refused = _refused(hearing.hear("answered", self._bounds.answer_s, staged.number))
        return f"{refused}; {heirs} other members of {staged.group} had its {len(staged.partitions)} partitions"

    def overstay(self, pid: int, log: Path) -> str:
        """Have a worker leave a transaction uncommitted until it has timed out; as `freeze` otherwise."""
        hearing, bounds = Hearing.from_now(pid, log), self._bounds
        staged = self._staged(hearing, "overstay")
        answer = hearing.hear("answered", bounds.overstay_s + bounds.answer_s, staged.number)
        if staged.member not in self._described(staged.group).members:
            raise Missed(f"{staged.group} has expelled the member while its transaction was held")
        refused = _refused(answer)
        hearing.hear("went on", bounds.answer_s, staged.number)
        return f"{refused}; its member stayed in {staged.group}, and has committed since"

    def _staged(self, hearing: Hearing, order: Order) -> Staged:
        self._orders.give(hearing.pid, order)
        try:
            return Staged.of(hearing.hear("staged", self._bounds.meet_s))
        except Missed:
            if self._orders.take(hearing.pid, order):
                raise
            return Staged.of(hearing.hear("staged", self._bounds.say_s))  # it has just begun to obey

    def _heirs(self, pid: int, staged: Staged) -> int:
        """Wait until others have all partitions of a member that is expelled; returns how many others."""

        def others() -> int | None:
            found = self._described(staged.group)
            return len(heirs(found, staged)) or None

        return _awaited(
            others, self._bounds.taken_over_s, f"{staged.group} has not given process {pid}'s partitions to others"
        )

    def _described(self, name: str) -> Group:
        try:
            return self._groups.described(name)
        except Undescribed as error:
            raise Missed(f"{error}, so that nothing is known of its members") from error


def heirs(group: Group, staged: Staged) -> Collection[str]:
    """Return the members that have what a worker had, once it is expelled and they have all of it; else none."""
    if not group.stable or staged.member in group.members:
        return ()
    found = [member for member, partitions in group.members.items() if partitions & staged.partitions]
    return found if staged.partitions <= frozenset[TopicPartition]().union(*group.members.values()) else ()


def _refused(answer: Mapping[str, Any]) -> str:
    """Return how a commit was refused; raises `Missed` where it was not, or was not answered."""
    name = str(answer["reason"]).partition(":")[0]
    outcome = f"its commit, asked for after {answer['held_s']} s, is {answer['kind']} ({answer['reason']})"
    if answer["kind"] in ("aborted", "lease ended") or (answer["kind"] == "in doubt" and name in REFUSALS):
        return outcome
    raise Missed(outcome)


def _awaited(look: Callable[[], T | None], seconds: float, otherwise: str) -> T:
    """Look until there is something; raises `Missed` when time is over."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise Missed(f"{otherwise} within {seconds:.0f} s")
        time.sleep(POLL_S)
    return found


def state_of(pid: int) -> str:
    """Return the kernel's letter for a process: T where it is stopped, Z where it has ended, none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
