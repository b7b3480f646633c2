"""A topic of calls, its group and its callers in memory: the real book, and a broker whose group fences commits."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tradewind.connectors.calls.book import Book, Step
from tradewind.connectors.calls.call import At, Call, Unsent
from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.calls.marks import Marks, marks_of
from tradewind.connectors.kafka.offsets import Place

PLACES: tuple[Place, ...] = (("calls", 0), ("calls", 1))


class Broker:
    """A topic of calls, and a group whose commits are fenced by its generation."""

    def __init__(self) -> None:
        self.logs: dict[Place, list[Call | None]] = {place: [] for place in PLACES}
        self.marks: dict[Place, Mark] = {}
        self.generation = 0
        self.members: list[Caller] = []
        self.endings: defaultdict[At, list[Any]] = defaultdict(list)
        self.claimed: set[At] = set()
        self.sent: Counter[At] = Counter()
        self.news: set[At] = set()
        """Calls with endings that were not looked at."""
        self.doubts = 0
        self.cut = 0
        """Calls that a caller itself reported as lost, as it was told to stop."""

    def rebalance(self) -> None:
        """Give every partition to one of the members; they hear of it when they poll."""
        self.generation += 1
        for member in self.members:
            member.assigned = Lease("g", self.generation, f"m{id(member)}", b""), set()
        for number, place in enumerate(PLACES):
            if self.members:
                assigned = self.members[(number + self.generation) % len(self.members)].assigned
                assert assigned is not None
                assigned[1].add(place)

    def write(self, caller: Caller, step: Step) -> bool:
        """Write a step, unless its lease is not the group's."""
        if step.marks:
            assert step.lease is not None
            if step.lease.generation != self.generation or caller not in self.members:
                return False
        return self.apply(step)

    def apply(self, step: Step) -> bool:
        self.marks.update(step.marks)
        self.claimed |= {call.at for call in step.claims}
        for ending in step.endings:
            self.endings[ending.call.at].append(ending.how)
            self.news.add(ending.call.at)
        return True

    def stands(self, place: Place) -> Marks:
        mark = self.marks.get(place)
        return Marks(0) if mark is None else marks_of(mark.offset, mark.metadata)

    def check(self) -> None:
        """Look at what must hold after each move."""
        assert all(count == 1 for count in self.sent.values()), "a call was sent twice"
        assert self.sent.keys() <= self.claimed, "a call was sent without a claim"
        for at in self.news:
            endings = self.endings[at]
            if Unsent.LOST in endings:
                assert at in self.claimed, "a call that nobody claimed is lost"
            if Unsent.EXPIRED in endings or Unsent.RETURNED in endings:
                assert at not in self.sent, "a call was sent that is reported as not sent"
            known = [how for how in endings if how is not Unsent.LOST]
            # Beside LOST there may be the late attempt of a caller that was taken for dead.
            assert len(known) <= 1 + self.doubts, "a call has two attempts"
            assert endings.count(Unsent.LOST) <= 1 + self.doubts + self.cut, "a call is lost twice"
        self.news.clear()


class Caller:
    """A caller: its book, and what its loop would do."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.book = Book(most=6, tenant_most=4, step_endings=5)
        self.assigned: tuple[Lease, set[Place]] | None = None
        self.step: Step | None = None
        self.flying: list[Call] = []

    def poll(self, most: int) -> None:
        """Hear of an assignment, and read some records."""
        if self.step is not None:
            return  # the loop opens no book while a transaction is on its way
        if self.assigned is not None:
            lease, places = self.assigned
            self.assigned = None
            self.book.open(lease, {place: self.broker.stands(place) for place in places})
        for place, window in self.book.windows.items():
            log = self.broker.logs[place]
            for offset in range(window.position, min(len(log), window.position + most)):
                call = log[offset]
                taken = self.book.reached(place, offset + 1) if call is None else self.book.read(call)
                if not taken:
                    break

    def send(self, calls: list[Call]) -> None:
        for call in calls:
            self.broker.sent[call.at] += 1
            self.flying.append(call)

    def reopen(self, step: Step) -> None:
        """Not know what became of a step: read the positions again, under the lease that there is."""
        lease, places = self.book.lease, set(self.book.windows)
        self.book.failed(step, in_doubt=True)
        self.book.close()
        if lease is not None and self.assigned is None:
            self.assigned = lease, places

    def outcome(self, how: str, *, written: bool = True) -> None:
        """Hear what became of the transaction; send what is claimed. One in doubt may have been `written`, or not."""
        step, self.step = self.step, None
        if step is None:
            return
        if how == "aborted":
            self.book.failed(step, in_doubt=False)
        elif how == "in doubt":
            self.broker.doubts += 1
            if written:
                self.broker.write(self, step)
            self.reopen(step)
        elif self.broker.write(self, step):
            self.send(self.book.committed(step))
        else:
            self.book.failed(step, in_doubt=False)
            self.book.close()
