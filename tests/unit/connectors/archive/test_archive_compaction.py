"""Compaction: fewer files with the same records, whatever is killed, and nothing is removed that differs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from processes.compaction import LATER, stopped_at
from processes.forking import forked
from sinks.archiving import DAY_MS, MONDAY, MONDAY_MS, TOPIC, archived, expected, messages, offsets, write

from tradewind.connectors.archive import DamagedFile, listed
from tradewind.connectors.archive.compaction import Compacted, compact
from tradewind.connectors.archive.errors import ArchiveBusy
from tradewind.connectors.archive.files import facts_of
from tradewind.connectors.archive.pruning import before, prune_to

PROGRAM = str(Path(__file__).parents[3] / "processes" / "compaction.py")
MOST_STEPS = 60


def small_files(folder: Path) -> None:
    """Write five files of one day and two of the next."""
    for first in range(0, 50, 10):
        write(folder, messages(first, first + 9))
    for first in (50, 60):
        write(folder, messages(first, first + 9, MONDAY_MS + DAY_MS), "2024-10-05")


def compacted(folder: Path, upto: str = LATER, **how: Any) -> list[Compacted]:
    """Compact, and return what was made."""
    made: list[Compacted] = []
    compact(folder, [TOPIC], upto, made.append, **how)
    return made


def names(folder: Path) -> list[str]:
    """Return the names of all files that are not hidden."""
    return sorted(path.relative_to(folder / TOPIC).as_posix() for path in (folder / TOPIC).glob("*/*"))


def test_the_files_of_a_day_become_one(tmp_path: Path) -> None:
    """With the same records, and what the footers said."""
    small_files(tmp_path)
    made = compacted(tmp_path)
    assert [(one.of, one.records) for one in made] == [(5, 50), (2, 20)]
    assert names(tmp_path) == [f"{MONDAY}/0-0-49.parquet", "2024-10-05/0-50-69.parquet"]
    runs = (messages(0, 49), messages(50, 69, MONDAY_MS + DAY_MS))
    assert archived(tmp_path).hex() == expected(*runs).hex()
    facts = facts_of(listed(tmp_path, TOPIC)[0].files[0])
    assert (facts.begin, facts.next, facts.schemas) == (0, 50, {"7": '"string"'})
    assert compacted(tmp_path) == []


def test_a_day_that_is_not_over_stays_as_it_is(tmp_path: Path) -> None:
    """Its files would be written again and again."""
    small_files(tmp_path)
    assert [one.into.day for one in compacted(tmp_path, "2024-10-05")] == [MONDAY]


def test_a_hole_stays_between_files(tmp_path: Path) -> None:
    """So that it is still found."""
    write(tmp_path, messages(0, 9))
    write(tmp_path, messages(20, 29))
    assert compacted(tmp_path) == []


def test_files_grow_to_a_limit(tmp_path: Path) -> None:
    """A reader holds one at a time."""
    small_files(tmp_path)
    assert [one.of for one in compacted(tmp_path, most_bytes=2)] == [2, 2, 2]


class Stopped(BaseException):
    """Ends a compaction where it stands: nothing catches it, and nothing is put in order."""


def stopped(folder: Path, step: int) -> bool:
    """Compact in this process up to a step on the disk; return whether it came so far."""

    def stop() -> None:
        raise Stopped

    put_back = stopped_at(step, stop)
    try:
        compacted(folder)
    except Stopped:
        return True
    finally:
        put_back()
    return False


def killed(folder: Path, step: int) -> bool:
    """Compact in a process that kills itself before a step on the disk; return whether it came so far."""
    with (folder.parent / "log").open("ab") as log:
        process = forked(PROGRAM, str(folder), TOPIC, str(step), environment=os.environ, out=log)
        code = process.wait(60)
    assert code in {0, -signal.SIGKILL}, (folder.parent / "log").read_text()
    return code != 0


@pytest.mark.parametrize("end", [stopped, pytest.param(killed, marks=pytest.mark.long)])
def test_an_end_before_any_step_loses_and_doubles_nothing(tmp_path: Path, end: Callable[[Path, int], bool]) -> None:
    """Readers find every record once after it, and after the compaction that finishes it."""
    whole = expected(messages(0, 49), messages(50, 69, MONDAY_MS + DAY_MS))
    steps = 0
    for step in range(MOST_STEPS):
        folder = tmp_path / str(step)
        folder.mkdir()
        small_files(folder)
        if not end(folder, step):
            break
        steps += 1
        assert archived(folder).hex() == whole.hex()
        compacted(folder)
        assert names(folder) == [f"{MONDAY}/0-0-49.parquet", "2024-10-05/0-50-69.parquet"]
        assert archived(folder).hex() == whole.hex()
        assert sorted(path.name for path in (folder / TOPIC).glob(".*")) == [".lock"]
    assert steps >= 15


def test_a_killed_compaction_is_finished_by_the_next_one(tmp_path: Path) -> None:
    """In a process of its own, in the midst of its steps."""
    small_files(tmp_path)
    assert killed(tmp_path, 9)
    assert archived(tmp_path).count == 70
    compacted(tmp_path)
    assert names(tmp_path) == [f"{MONDAY}/0-0-49.parquet", "2024-10-05/0-50-69.parquet"]


def test_a_file_whose_records_differ_is_not_removed(tmp_path: Path) -> None:
    """Though a larger one has all its offsets."""
    write(tmp_path, messages(0, 19))
    other = write(tmp_path, messages(5, 9, MONDAY_MS + 1))
    with pytest.raises(DamagedFile, match="nothing was removed"):
        compacted(tmp_path)
    assert other.path.exists()


def test_a_damaged_file_is_not_compacted_away(tmp_path: Path) -> None:
    """It stays, for whoever has a copy."""
    small_files(tmp_path)
    victim = tmp_path / TOPIC / MONDAY / "0-20-29.parquet"
    victim.write_bytes(victim.read_bytes()[:-9])
    with pytest.raises(DamagedFile, match="0-20-29"):
        compacted(tmp_path)
    assert len(names(tmp_path)) == 7


def test_two_compactions_do_not_run_at_once(tmp_path: Path) -> None:
    """The second one says so."""
    small_files(tmp_path)
    with pytest.raises(ArchiveBusy, match="another compaction"):
        compact(tmp_path, [TOPIC], LATER, lambda _: compacted(tmp_path))


def test_pruning_keeps_the_newest_file_and_leaves_no_hole(tmp_path: Path) -> None:
    """Its name is the position, however old it is."""
    small_files(tmp_path)
    assert [file.first for file in before(tmp_path, [TOPIC], "2024-10-05")] == [0, 10, 20, 30, 40]
    assert [file.first for file in before(tmp_path, [TOPIC], LATER)] == [0, 10, 20, 30, 40, 50]
    size = sum(path.stat().st_size for path in tmp_path.glob("*/*/*.parquet"))
    removed = prune_to(tmp_path, size - 1)
    assert [file.first for file in removed] == [0]
    assert offsets(tmp_path) == list(range(10, 70))
    prune_to(tmp_path, 0)
    assert names(tmp_path) == ["2024-10-05", "2024-10-05/0-60-69.parquet"][1:]
    assert not (tmp_path / TOPIC / MONDAY).exists()
