"""No call is sent twice, whoever dies, freezes or is in doubt; and the model finds callers that are wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks.running import tick

from tradewind.connectors.calls import book as book_module
from tradewind.connectors.calls.book import Book, Step, Window
from tradewind.connectors.calls.call import At, Call, Ending, Unsent
from tradewind.connectors.calls.claims import Mark
from tradewind.connectors.calls.lease import Lease
from tradewind.connectors.calls.marks import Marks, marks_of
from tradewind.connectors.kafka.offsets import Place

PLACES: tuple[Place, ...] = (("calls", 0), ("calls", 1))
FOR_EVER = 10**15
DONE = tick(1)
"""An attempt; what it says does not matter to the book."""


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


class History:
    """Several callers of one group, at the mercy of whatever happens between two of their moves."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.broker = Broker()
        self.callers: list[Caller] = []
        self.now_us = 0
        self.join()

    def play(self, moves: int) -> None:
        """Make some moves, look at the outcome of each, and have one more caller end all that is left."""
        chosen = self.random.choices(list(MOVES), list(MOVES.values()), k=moves)
        for name in chosen:
            getattr(self, name)()
            self.check()
        self.finish()

    @property
    def one(self) -> Caller:
        return self.random.choice(self.callers)

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def join(self) -> None:
        if len(self.callers) < MOST_CALLERS:
            self.callers.append(Caller(self.broker))
            self.broker.members.append(self.callers[-1])
            self.broker.rebalance()

    def order(self) -> None:
        """Order calls; a marker of a transaction may follow them."""
        place = self.random.choice(PLACES)
        log = self.broker.logs[place]
        for _ in range(self.random.randint(1, 8)):
            wait, patience = self.random.choice((0, 0, 0, 50)), self.random.choice((FOR_EVER, FOR_EVER, 20))
            tenant = self.random.choice("abc")
            log.append(Call((place, len(log)), tenant, DONE, self.now_us + wait, self.now_us + patience, 1))
        log += [None] * self.random.randint(0, 1)

    def poll(self) -> None:
        self.one.poll(self.random.randint(1, 10))

    def plan(self) -> None:
        caller = self.one
        if caller.step is None and (
            step := caller.book.plan(self.now_us, tidy=self.chance(0.2), hold=self.chance(0.5))
        ):
            caller.step = step

    def write(self) -> None:
        """End a transaction, well or otherwise."""
        how = self.random.choices(("written", "aborted", "in doubt"), (8, 1, 1))[0]
        self.outcome(self.one, how)

    def outcome(self, caller: Caller, how: str) -> None:
        """Have a caller hear of its transaction; what it has claimed is sent at once."""
        step, caller.step = caller.step, None
        if step is None:
            return
        if how == "aborted":
            caller.book.failed(step, in_doubt=False)
        elif how == "in doubt":
            self.broker.doubts += 1
            if self.chance(0.5):
                self.broker.write(caller, step)
            caller.reopen(step)
        elif self.broker.write(caller, step):
            caller.send(caller.book.committed(step))
        else:
            caller.book.failed(step, in_doubt=False)
            caller.book.close()

    def answer(self) -> None:
        caller = self.one
        if caller.flying:
            call = caller.flying.pop(self.random.randrange(len(caller.flying)))
            caller.book.ended(call, DONE)

    def revoked(self) -> None:
        """Tell a caller that its partitions are gone, maybe between a plan and its outcome."""
        caller = self.one
        if caller.assigned is not None:
            caller.book.close()

    def expelled(self) -> None:
        """Freeze a caller for longer than its session; it does not know."""
        caller = self.one
        if caller in self.broker.members:
            self.broker.members.remove(caller)
            caller.assigned = None
            self.broker.rebalance()

    def thawed(self) -> None:
        for caller in self.callers:
            if caller not in self.broker.members:
                self.broker.members.append(caller)
                self.broker.rebalance()

    def stopped(self) -> None:
        self.one.book.stop()

    def killed(self) -> None:
        if len(self.callers) == MOST_CALLERS:
            caller = self.one
            self.callers.remove(caller)
            if caller in self.broker.members:
                self.broker.members.remove(caller)
                self.broker.rebalance()

    def waited(self) -> None:
        self.now_us += self.random.randint(1, 60)

    def check(self) -> None:
        """Look at what must hold after each move."""
        broker = self.broker
        assert all(count == 1 for count in broker.sent.values()), "a call was sent twice"
        assert broker.sent.keys() <= broker.claimed, "a call was sent without a claim"
        for at in broker.news:
            endings = broker.endings[at]
            if Unsent.LOST in endings:
                assert at in broker.claimed, "a call that nobody claimed is lost"
            if Unsent.EXPIRED in endings or Unsent.RETURNED in endings:
                assert at not in broker.sent, "a call was sent that is reported as not sent"
            known = [how for how in endings if how is not Unsent.LOST]
            # Beside LOST there may be the late attempt of a caller that was taken for dead.
            assert len(known) <= 1 + broker.doubts, "a call has two attempts"
            assert endings.count(Unsent.LOST) <= 1, "a call is lost twice"
        broker.news.clear()

    def finish(self) -> None:
        """All die, and one more caller ends what they left: each call has an ending then, and none is sent twice."""
        broker = self.broker
        broker.members.clear()
        last = Caller(broker)
        broker.members.append(last)
        broker.rebalance()
        for _ in range(10_000):
            self.now_us += 1
            last.poll(1000)
            if step := last.book.plan(self.now_us, tidy=True):
                last.step = step
                self.outcome(last, "written")
                self.check()
            elif all(broker.stands(place).floor == len(log) for place, log in broker.logs.items()):
                break
            while last.flying:
                last.book.ended(last.flying.pop(), DONE)
        assert not self.left(), f"calls are left without an attempt: {self.left()}"

    def left(self) -> list[At]:
        calls = [call for log in self.broker.logs.values() for call in log if call is not None]
        return [call.at for call in calls if not self.broker.endings[call.at]]


MOVES = {
    "order": 6, "poll": 12, "plan": 14, "write": 14, "answer": 10, "waited": 3,
    "join": 1, "revoked": 1, "expelled": 1, "thawed": 1, "killed": 1, "stopped": 0.1,
}  # fmt: skip
"""The moves, and how often each is made."""
MOST_CALLERS = 3


@given(seed=st.integers(0, 2**64), moves=st.integers(0, 250))
@settings(max_examples=300)
def test_no_call_is_sent_twice_and_each_has_an_ending(seed: int, moves: int) -> None:
    """Whoever dies, freezes, or does not know what became of its transaction."""
    History(seed).play(moves)


@pytest.mark.long
@given(seed=st.integers(0, 2**64), moves=st.integers(0, 400))
@settings(max_examples=10_000)
def test_ten_thousand_histories_send_no_call_twice(seed: int, moves: int) -> None:
    """The same, for long."""
    History(seed).play(moves)


def resends(self: Book, call: Call) -> bool:
    """Take what is claimed without an attempt for what is not claimed."""
    window = self.windows[call.place]
    if not self.reached(call.place, call.offset) or call.offset >= window.marks.end:
        return False
    window.position = call.offset + 1
    if call.at not in self.flying and call.at not in self._ended and not window.marks.is_done(call.offset):
        marks = window.marks
        window.marks = Marks(marks.floor, marks.claimed & ~(1 << call.offset - marks.floor), marks.done)
        self.turns.add(call)
    return True


def past_a_gap(window: Window, place: Place, claims: Any, endings: Any) -> Marks:
    """Move the floor, and the committed offset with it, behind the highest attempt."""
    marks = AFTER(window, place, claims, endings)
    passed = marks.done.bit_length()
    return Marks(marks.floor + passed, marks.claimed >> passed, 0)


def forgetful(window: Window, place: Place, claims: Any, endings: Any) -> Marks:
    """Commit attempts alone: a claim is known to nobody before its attempt is."""
    return AFTER(window, place, (), endings)


def unfenced(self: Broker, caller: Caller, step: Step) -> bool:
    """Take a claim whatever its lease is."""
    return self.apply(step)


def in_haste(self: Caller, step: Step) -> None:
    """Send what may have been claimed."""
    self.send(self.book.committed(step))


def keeps_all(self: Book) -> None:
    """Keep endings that were found under the lease."""
    ended = dict(self._ended)
    CLOSE(self)
    self._ended = {at: Ending(ending.call, ending.how) for at, ending in ended.items()}


def trusts(self: Book, lease: Lease, marks: Mapping[Place, Marks]) -> None:
    """Take what was in doubt for unsent, although others had the partition since."""
    doubt = self._doubt
    OPEN(self, lease, marks)
    self._unsent = getattr(self, "unsent_", set()) | {call.at for call in (doubt.claims if doubt else ())}
    UNSENT[id(self)] = self._unsent


AFTER, CLOSE, OPEN = book_module._after, Book.close, Book.open
UNSENT: dict[int, set[At]] = {}
MUTANTS: Mapping[str, tuple[object, str, Callable[..., Any]]] = {
    "sends again": (Book, "read", resends),
    "skips the fence": (Broker, "write", unfenced),
    "commits past a gap": (book_module, "_after", past_a_gap),
    "forgets its claims": (book_module, "_after", forgetful),
    "sends what is in doubt": (Caller, "reopen", in_haste),
    "reports without the lease what it found under it": (Book, "close", keeps_all),
    "trusts its doubt under another lease": (Book, "open", trusts),
}
HUNT = 3_000


def hunt() -> None:
    """Look for what is wrong."""
    for seed in range(HUNT):
        History(seed).play(200)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_caller_that_is_wrong_is_found(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mutant breaks what the histories look at."""
    monkeypatch.setattr(*MUTANTS[mutant])
    with pytest.raises(AssertionError, match=r"sent|lost|attempt|claimed|window"):
        hunt()


def test_a_kill_with_fifty_calls_waiting_loses_none() -> None:
    """They wait for their time; whoever comes next sends each of them."""
    history = History(1)
    broker, first = history.broker, history.callers[0]
    for place, wait_us, count in ((PLACES[0], 50, 50), (PLACES[1], 0, 4)):
        broker.logs[place] = [Call((place, n), "a", DONE, wait_us, FOR_EVER, 1) for n in range(count)]
    first.poll(100)
    first.step = first.book.plan(0)
    history.outcome(first, "written")
    assert len(first.flying) == 4
    history.finish()
    lost = {at for at, endings in broker.endings.items() if Unsent.LOST in endings}
    assert lost == {(PLACES[1], offset) for offset in range(4)}
    assert len(broker.sent) == 54


def test_an_attempt_that_ends_during_a_rebalance_waits_for_the_next_lease() -> None:
    """Published before, it would not be marked, and be reported as lost as well."""
    history = History(1)
    broker, caller = history.broker, history.callers[0]
    broker.logs[PLACES[0]] = [Call((PLACES[0], 0), "a", DONE, 0, FOR_EVER, 1)]
    caller.poll(1)
    caller.step = caller.book.plan(0)
    history.outcome(caller, "written")
    broker.rebalance()
    caller.book.close()
    caller.book.ended(caller.flying.pop(), DONE)
    assert not caller.book.plan(0, hold=True)
    history.callers[0].poll(1)
    caller.step = caller.book.plan(0, hold=True)
    history.outcome(caller, "written")
    history.finish()
    assert broker.endings == {(PLACES[0], 0): [DONE]}
