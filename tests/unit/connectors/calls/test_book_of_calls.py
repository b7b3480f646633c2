"""No call is sent twice, whoever dies, freezes or is in doubt; and the model finds callers that are wrong."""

from __future__ import annotations

from random import Random

import pytest
from calls.in_memory import PLACES, Broker, Caller
from calls.mutants import MUTANTS
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks.running import tick

from tradewind.connectors.calls.call import At, Call, Unsent

FOR_EVER = 10**15
DONE = tick(1)
"""An attempt; what it says does not matter to the book."""


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
            self.broker.check()
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
        self.one.outcome(how, written=self.chance(0.5))

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
                last.outcome("written")
                broker.check()
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
    first.outcome("written")
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
    caller.outcome("written")
    broker.rebalance()
    caller.book.close()
    caller.book.ended(caller.flying.pop(), DONE)
    assert not caller.book.plan(0, hold=True)
    history.callers[0].poll(1)
    caller.step = caller.book.plan(0, hold=True)
    caller.outcome("written")
    history.finish()
    assert broker.endings == {(PLACES[0], 0): [DONE]}
