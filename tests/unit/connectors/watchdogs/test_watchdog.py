"""Watchdogs complain of what has stood still for its bound, of nothing else, and stop when it moves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tradewind.connectors.settings import WatchdogSettings
from tradewind.connectors.watchdogs.watch import LOOK_S
from tradewind.connectors.watchdogs.watchdog import Memory, Seen, Stuck, judge
from tradewind.streams.runtime.timings import USUAL
from tradewind.streams.runtime.watch.progress import Progress

BOUNDS = WatchdogSettings(position_s=60, assignment_s=60, transaction_s=30, restore_s=50, broker_s=15)
TICKS, BARS = ("market.ticks", 0), ("market.bars", 1)
PARTITIONS = st.sampled_from([TICKS, BARS])


def looks(*seen: Seen) -> tuple[Stuck, ...]:
    """Return what is complained of after some looks."""
    memory, stuck = Memory(), ()
    for one in seen:
        memory, stuck = judge(memory, one, BOUNDS)
    return stuck


def at(at_s: float, position: int, end: int | None) -> Seen:
    """Return a look at one partition; without an end the broker is silent."""
    return Seen(at_s, {TICKS: position}, None if end is None else {TICKS: end})


def test_a_position_that_stands_with_lag_is_stuck_after_its_bound() -> None:
    """Said with the position, what is behind it, and since when."""
    assert looks(at(100, 5, 9), at(159, 5, 12)) == ()
    assert looks(at(100, 5, 9), at(130, 5, 9), at(160, 5, 12)) == (Stuck("position", 100, TICKS, 5, 7),)


def test_a_position_that_moves_or_has_caught_up_is_not() -> None:
    """However slowly it moves, and however long nothing comes."""
    assert looks(at(100, 5, 9), at(159, 6, 9), at(218, 7, 9)) == ()
    assert looks(at(100, 9, 9), at(1000, 9, 9)) == ()
    assert looks(at(100, 5, 9), at(130, 5, 5), at(170, 5, 9)) == ()


def test_a_partition_that_comes_back_where_it_was_has_not_moved_whoever_had_it() -> None:
    """So a group that rebalances again and again is complained of; one whose other worker moved it is not."""
    away = Seen(130, {}, {TICKS: 9})
    assert looks(at(100, 5, 9), away) == looks(at(100, 5, 9), replace(away, at_s=170)) == ()
    assert looks(at(100, 5, 9), away, at(170, 5, 9)) == (Stuck("position", 100, TICKS, 5, 4),)
    assert looks(at(100, 5, 9), away, at(170, 6, 9)) == ()
    assert looks(at(100, 5, 9), away, at(170, 5, 9), at(180, 9, 9), at(300, 9, 9)) == ()


def test_who_reads_nothing_of_what_it_could_is_stuck_after_its_bound() -> None:
    """In the words of whoever waits; a wait that has ended is forgotten."""
    waits = [Seen(at_s, ends={}, waiting="it waits") for at_s in (100, 159, 160)]
    assert looks(*waits[:2]) == ()
    assert looks(*waits) == (Stuck("assignment", 100, detail="it waits"),)
    assert looks(waits[0], at(110, 5, 5), waits[2]) == ()


def rebalancing(rounds: int, *, moves: bool = False, end: int = 9) -> list[Seen]:
    """Return looks at a worker that has its partition for some seconds, loses it, and gets it again."""
    found = []
    for number in range(rounds):
        at_s, position = 100.0 + 30 * number, 5 + moves * number
        found += [Seen(at_s, ends={TICKS: end}, waiting="it waits", rebalances=number)]
        found += [Seen(at_s + 10, ends={TICKS: end}, restored=Progress("c", number), rebalances=number + 1)]
        found += [Seen(at_s + 20, {TICKS: position}, {TICKS: end}, rebalances=number + 1)]
    return found


def test_assignments_that_come_again_and_again_and_move_nothing_are_stuck() -> None:
    """Also at a look at which there is no assignment; not where a position moves, or has nothing to read."""
    assert looks(*rebalancing(2)) == ()
    assert {of.kind for of in looks(*rebalancing(4))} == {"position", "assignment"}
    (stuck,) = looks(*rebalancing(4)[:-1])
    assert (stuck.kind, stuck.since_s) == ("assignment", 100)
    assert stuck.detail == "it was assigned partitions 4 times, and has moved none of them,"
    assert looks(*rebalancing(9, moves=True, end=99)) == ()
    assert looks(*rebalancing(9, end=5)) == ()


def test_a_long_restore_is_no_assignment_that_moves_nothing() -> None:
    """Two of them, as with a deployment, are none either."""
    restores = [Seen(at_s, ends={}, restored=Progress("c", int(at_s)), rebalances=2) for at_s in range(110, 900, 10)]
    assert (
        looks(Seen(100, ends={}, waiting="it waits"), *restores, Seen(900, {TICKS: 5}, {TICKS: 9}, rebalances=2)) == ()
    )


def test_what_a_partition_had_to_read_is_forgotten_with_it() -> None:
    """Another worker may have read it meanwhile, and a broker that is silent does not say."""
    assert {of.kind for of in looks(at(100, 5, 9), Seen(110, {}), at(111, 5, None), at(180, 5, None))} == {"broker"}


def test_a_silent_broker_is_told_and_what_was_behind_stays_behind() -> None:
    """Its last word on the end counts; once it answers, its silence is over."""
    assert looks(at(100, 5, 9), at(102, 5, None), at(117, 5, None)) == (Stuck("broker", 102),)
    assert {of.kind for of in looks(at(100, 5, 9), at(102, 5, None), at(160, 5, None))} == {"position", "broker"}
    assert looks(at(100, 9, 9), at(102, 9, None), at(117, 9, 9)) == ()


def test_a_restore_that_reads_on_is_not_stuck() -> None:
    """However long it takes."""
    reading = [Seen(at_s, ends={}, restored=Progress("c", records=at_s)) for at_s in range(0, 500, 10)]
    assert looks(*reading) == ()
    stands = [replace(reading[-1], at_s=540.0)]
    assert looks(*reading, *stands) == (Stuck("restore", 490, at=490, detail="waits for "),)


def test_a_restore_that_stands_names_what_is_still_to_be_read() -> None:
    """The partitions of the changelog, how much of them was read, and what is waited for."""
    progress = Progress("c", 1000, 7, 50, (1, 3), "the changelog's records")
    (stuck,) = looks(*(Seen(at_s, ends={}, restored=progress) for at_s in (100, 150)))
    assert (stuck.kind, stuck.at, stuck.among) == ("restore", 1000, (("c", 1), ("c", 3)))
    assert stuck.detail == (
        "waits for the changelog's records, 7 of at most 50 records read, to be read: c, partitions 1, 3"
    )


def test_a_transaction_that_stands_names_the_inputs_in_hand() -> None:
    """Those of the last attempt: a batch is gathered anew after a failure, and it is the same complaint."""
    first, second = (
        Seen(at_s, ends={}, uncommitted_since_s=100, uncommitted=of) for at_s, of in ((130, (TICKS,)), (132, (BARS,)))
    )
    (before,), (after,) = looks(first), looks(first, second)
    assert (before, after) == (Stuck("transaction", 100, among=(TICKS,)), Stuck("transaction", 100, among=(BARS,)))
    assert before.what == after.what


def test_a_restore_that_hangs_is_told_before_the_worker_gives_it_up() -> None:
    """Whatever it hangs at; told at the first look after its bound, which counts from the first look that saw it."""
    told_s = WatchdogSettings().restore_s + 2 * LOOK_S
    assert told_s < USUAL.silence_s - 10, "with time left for the broker to take the alert"


class Worker(RuleBasedStateMachine):
    """A worker whose whole history is kept, beside watchdogs that remember as little as they can."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.positions = {TICKS: 0}
        self.ends = {TICKS: 0, BARS: 0}
        self.answers = True
        self.uncommitted_s: float | None = None
        self.restored: int | None = None
        self.memory, self.stuck = Memory(), ()
        self.history: list[Seen] = []

    @rule(seconds=st.sampled_from([0.5, 2, 14, 15, 16, 29, 30, 31, 60]))
    def time_passes(self, seconds: float) -> None:
        """Look again after a while."""
        self.now_s += seconds
        seen = Seen(
            self.now_s,
            dict(self.positions),
            dict(self.ends) if self.answers else None,
            self.uncommitted_s,
            restored=None if self.restored is None else Progress("c", records=self.restored),
        )
        self.memory, self.stuck = judge(self.memory, seen, BOUNDS)
        self.history.append(seen)

    @rule(of=PARTITIONS, records=st.integers(1, 5))
    def records_come(self, of: tuple[str, int], records: int) -> None:
        """Let a topic grow."""
        self.ends[of] += records

    @rule(of=PARTITIONS, records=st.integers(1, 5))
    def a_batch_commits(self, of: tuple[str, int], records: int) -> None:
        """Move a position, up to the end at most."""
        if of in self.positions:
            self.positions[of] = min(self.ends[of], self.positions[of] + records)
            self.uncommitted_s = None

    @rule()
    def a_batch_begins(self) -> None:
        """Unless one is in hand."""
        self.uncommitted_s = self.now_s if self.uncommitted_s is None else self.uncommitted_s

    @rule()
    def the_broker_goes_or_comes(self) -> None:
        """Answers end, or begin again."""
        self.answers = not self.answers

    @rule(of=PARTITIONS)
    def a_partition_goes_or_comes(self, of: tuple[str, int]) -> None:
        """Take a partition away, or give it back."""
        if self.positions.pop(of, None) is None:
            self.positions[of] = 0

    @rule(records=st.integers(0, 3))
    def a_restore_begins_or_reads_on(self, records: int) -> None:
        """Let a restore read something, or nothing."""
        self.restored = (self.restored or 0) + records

    @rule()
    def a_restore_ends(self) -> None:
        """There is none in hand."""
        self.restored = None

    @invariant()
    def complaints_are_what_the_history_says(self) -> None:
        """Each kind is judged from all looks so far."""
        found = {of.what: of.since_s for of in self.stuck}
        assert found == self._expected()
        assert len(self.stuck) == len(found)

    def _expected(self) -> dict[tuple[str, tuple[str, int] | None], float]:
        if not self.history:
            return {}
        now_s, last = self.history[-1].at_s, self.history[-1]
        since: dict[tuple[str, tuple[str, int] | None], float | None] = {
            ("position", of): self._standing(of) for of in last.positions
        }
        since["transaction", None] = last.uncommitted_since_s
        since["broker", None] = _run([seen.at_s for seen in self.history], [seen.ends is None for seen in self.history])
        since["restore", None] = _run(
            [seen.at_s for seen in self.history],
            [seen.restored is not None and seen.restored == last.restored for seen in self.history],
        )
        return {
            what: begun
            for what, begun in since.items()
            if begun is not None and now_s - begun >= getattr(BOUNDS, f"{what[0]}_s")
        }

    def _standing(self, of: tuple[str, int]) -> float | None:
        """Return since when a position has stood with lag, at every look."""
        position, end = self.history[-1].positions[of], None
        behind: list[tuple[float, bool]] = []
        for seen in self.history:
            if of not in seen.positions:
                end = None  # what a worker does not have it does not remember
            elif seen.ends is not None:
                end = seen.ends[of]
            if of in seen.positions:  # what it was meanwhile, its return says
                holds = seen.positions[of] == position and end is not None and end > position
                behind.append((seen.at_s, holds))
        return _run([at_s for at_s, _ in behind], [holds for _, holds in behind])


def _run(times: list[float], holds: list[bool]) -> float | None:
    """Return when the unbroken run began at whose end something holds; None where it does not hold now."""
    begun = None
    for time, held in zip(reversed(times), reversed(holds), strict=True):
        if not held:
            break
        begun = time
    return begun


TestWorker = Worker.TestCase
