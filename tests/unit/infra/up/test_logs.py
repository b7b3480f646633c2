"""The end of a log is read, however large the log is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.infra.up.logs import logs_of, tail


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Give a log of a hundred lines, in a data folder."""
    (tmp_path / "logs").mkdir()
    path = tmp_path / "logs" / "market.log"
    path.write_text("".join(f"line {number:02}\n" for number in range(100)))
    return path


def test_a_log_is_found_by_its_name(log: Path, tmp_path: Path) -> None:
    """A folder without logs has none."""
    assert logs_of(tmp_path) == {"market": log}
    assert logs_of(tmp_path / "none") == {}


def test_the_last_lines_are_whole(log: Path) -> None:
    """A line whose beginning is not read is left out."""
    assert tail(log, 2).lines == ("line 98", "line 99")
    assert not tail(log, 99).whole
    everything = tail(log, 100)
    assert (len(everything.lines), everything.whole, everything.bytes) == (100, True, 800)
    part = tail(log, 100, most_bytes=20)
    assert (part.lines, part.whole) == (("line 98", "line 99"), False)


def test_a_log_may_be_empty_or_hold_any_bytes(log: Path) -> None:
    """What is no UTF-8 is replaced."""
    log.write_bytes(b"")
    assert tail(log, 5).lines == ()
    log.write_bytes(b"\xff\xfe\n")
    assert tail(log, 5).lines == ("\ufffd\ufffd",)
