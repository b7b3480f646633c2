"""The ledger counts each event once, whatever is killed, repeated or done by two at once."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.connectors.health.ledger import Counted, Ledger, Partition, Pass

TICKS: Partition = ("market.ticks", 0)
FILLS: Partition = ("execution.fills", 1)


def one_pass(ledger: Ledger, moved: dict[Partition, int], ids: dict[str, set[bytes]] | None = None) -> Pass:
    """Return a pass from where the ledger stands."""
    done = Pass(ledger.positions())
    done.next.update(moved)
    for name, found in (ids or {}).items():
        done.ids[name] |= found
    return done


def test_an_event_that_is_on_a_topic_twice_counts_once(tmp_path: Path) -> None:
    """Totals count by the event's id, in one pass and over several."""
    ledger = Ledger(tmp_path)
    assert ledger.add(one_pass(ledger, {FILLS: 2}, {"fills": {b"a", b"b"}}))
    assert ledger.add(one_pass(ledger, {FILLS: 4}, {"fills": {b"b", b"c"}}))
    assert ledger.totals() == {"fills": 3}


def test_one_id_counts_in_each_total_that_it_belongs_to(tmp_path: Path) -> None:
    """A denied decision is a decision, too."""
    ledger = Ledger(tmp_path)
    assert ledger.add(one_pass(ledger, {("risk.decisions", 0): 1}, {"decisions": {b"a"}, "denied": {b"a"}}))
    assert ledger.totals() == {"decisions": 1, "denied": 1}


def test_of_two_passes_from_the_same_start_one_counts(tmp_path: Path) -> None:
    """`up` and `status` count at once: who comes second is refused, and starts again from where the first ended."""
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    early, late = (one_pass(ledger, {TICKS: 10}) for ledger in (first, second))
    for done in (early, late):
        done.records[TICKS] = done.counted["ticks"] = 9
    assert first.add(early)
    assert not second.add(late)
    assert second.totals() == {"ticks": 9}
    assert second.positions() == {TICKS: Counted(next=10, last=-1, records=9)}


def test_passes_over_different_partitions_both_count(tmp_path: Path) -> None:
    """Only what was read from the same start is refused."""
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    early, late = one_pass(first, {TICKS: 1}), one_pass(second, {FILLS: 1}, {"fills": {b"a"}})
    assert first.add(early)
    assert second.add(late)
    assert set(first.positions()) == {TICKS, FILLS}


def test_a_process_that_is_killed_loses_its_pass_and_no_more(tmp_path: Path) -> None:
    """What was not committed is not there, neither its count nor its position."""
    ledger = Ledger(tmp_path)
    assert ledger.add(one_pass(ledger, {FILLS: 1}, {"fills": {b"a"}}))
    torn = ledger._database
    torn.execute("BEGIN IMMEDIATE")
    torn.execute("UPDATE total SET events = 99")
    ledger.close()  # as the system does for a process that is killed
    again = Ledger(tmp_path)
    assert again.totals() == {"fills": 1}
    assert again.positions()[FILLS].next == 1


@settings(deadline=None)  # it writes files
@given(st.lists(st.tuples(st.integers(1, 4), st.sets(st.binary(min_size=1, max_size=1)), st.booleans())))
def test_totals_are_those_of_a_set_whatever_the_passes(passes: list[tuple[int, set[bytes], bool]]) -> None:
    """For any passes, with the process restarted between some: ids are a set, records a sum, positions the last."""
    with tempfile.TemporaryDirectory() as folder:
        ledger, ids, records, end = Ledger(Path(folder)), set[bytes](), Counter[Partition](), 0
        for length, found, restart in passes:
            end += length
            done = one_pass(ledger, {FILLS: end}, {"fills": found})
            done.records[FILLS] = length
            assert ledger.add(done)
            ids |= found
            records[FILLS] += length
            if restart:
                ledger.close()
                ledger = Ledger(Path(folder))
        assert ledger.totals().get("fills", 0) == len(ids)
        if passes:
            assert ledger.positions() == {FILLS: Counted(end, -1, records[FILLS])}
        ledger.close()


def test_rates_are_means_over_the_last_seconds(tmp_path: Path) -> None:
    """1,000 a second is told as 1,000; samples older than the window do not count."""
    ledger = Ledger(tmp_path)
    for second, value in enumerate((0, 1_000_000, 1_001_000, 1_002_000)):
        ledger.sample(100.0 + second, {"ticks": value})
    assert ledger.rates(101.0 + 5.0) == {"ticks": 1000.0}


def test_without_samples_there_are_no_rates(tmp_path: Path) -> None:
    """So that `status` knows to look twice."""
    ledger = Ledger(tmp_path)
    ledger.sample(100.0, {"ticks": 5})
    assert ledger.rates(200.0) == {}
    assert ledger.rates(100.0) == {}
