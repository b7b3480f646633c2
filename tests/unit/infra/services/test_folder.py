"""Paths that cannot be a data folder's are refused with their reason, and before anything is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tradewind.connectors.settings import Settings
from tradewind.infra.cli.group import tradewind
from tradewind.infra.services.embedded.kafka import Kafka
from tradewind.infra.services.folder import FORMAT, FORMAT_FILE, LONGEST_BYTES, check_folder, check_format, note_format
from tradewind.infra.services.place import Place
from tradewind.infra.services.ports import Ports
from tradewind.infra.services.service import OtherFormat, UnusableFolder
from tradewind.infra.services.stack import Stack

NASTY = " ,a b\\ñ=ü:日本語 🌀'\"$HOME%20#!;&()[bold]{x}~*?`|<> "
"""Every character that some file, shell or list would take for something else."""


@pytest.mark.parametrize(
    "name", ["a b", "a,b", "josé", "日本語", "🌀", "'\"", "\\", "%20", "$HOME", "#", "a=b", "a:b", "x ", NASTY]
)
def test_a_path_may_hold_any_character_that_a_person_can_see(tmp_path: Path, name: str) -> None:
    """One real start of everything has the worst of them: tests/integration/up/test_up.py."""
    check_folder(tmp_path / name / "data")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\nb", "control character"),
        ("a\rb", "control character"),
        ("a\tb", "control character"),
        ("a\x7fb", "control character"),
        ("a\udcffb", "not valid UTF-8"),
        ("long/" * 200, "bytes"),
        ("x" * 300, "255 bytes"),
    ],
)
def test_other_paths_are_refused_before_anything_is_written(tmp_path: Path, name: str, said: str) -> None:
    """In one line, whatever the path holds, with what to do."""
    with pytest.raises(UnusableFolder, match=said) as refused:
        Stack(tmp_path / name, Settings(data=tmp_path, _env_file=None)).start()
    assert "--data DIR" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_path_is_taken(tmp_path: Path) -> None:
    """Bytes count, for servers keep paths in buffers of bytes."""
    room = LONGEST_BYTES - len(str(tmp_path).encode()) - 1
    check_folder(tmp_path / "/".join(["é" * 49] * (room // 99)))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """It is the parent that is wrong, not the data folder."""
    (tmp_path / "file").touch()
    with pytest.raises(UnusableFolder, match=r"'.*/file' is a file"):
        check_folder(tmp_path / "file" / "data")


def test_a_parent_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; root may write anywhere, so that the answer is made up."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UnusableFolder, match="cannot be written to by this user: change its rights"):
        check_folder(tmp_path / "data")


def test_kafkas_file_holds_no_path(tmp_path: Path) -> None:
    """Java reads it as Latin-1, with backslashes as escapes, and Kafka cuts `log.dirs` at commas and trims it."""
    text = Kafka(Place(tmp_path / NASTY, Ports(20_000)))._properties(1)
    assert "\nlog.dirs=data\n" in text
    assert text.isascii()
    assert str(tmp_path) not in text


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return all that is in a folder."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.fixture
def of_before(tmp_path: Path) -> Path:
    """Give a data folder as versions before formats left it."""
    (tmp_path / "kafka" / "broker-1").mkdir(parents=True)
    (tmp_path / "kafka" / "broker-1" / "meta.properties").write_text("x")
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--detach"]])
def test_up_refuses_a_data_folder_of_an_earlier_format_and_changes_nothing(of_before: Path, options: list[str]) -> None:
    """It says what the folder is, and names the command that wipes it."""
    before = contents(of_before)
    done = CliRunner().invoke(tradewind, ["up", *options, "--data", str(of_before)])
    assert isinstance(done.exception, OtherFormat), done.output
    assert "made by an earlier version of Tradewind: its format is 1, and this version reads" in str(done.exception)
    assert f"./dev reset --data {of_before}" in str(done.exception)
    assert contents(of_before) == before
    with pytest.raises(OtherFormat):
        Stack(of_before, Settings(data=of_before, _env_file=None)).start()
    assert contents(of_before) == before


def test_up_ends_with_1_and_one_sentence(of_before: Path) -> None:
    """As a person sees it."""
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "up", "--data", str(of_before)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "Nothing was changed. Wipe what it holds by ./dev reset" in done.stderr


def test_a_folder_of_a_newer_version_is_refused_too(tmp_path: Path) -> None:
    """It holds what this version does not know; what is no number is told."""
    (tmp_path / FORMAT_FILE).write_text(f"{FORMAT + 1}\n")
    with pytest.raises(OtherFormat, match=f"a newer version of Tradewind: its format is {FORMAT + 1}"):
        check_format(tmp_path)
    (tmp_path / FORMAT_FILE).write_text("two")
    with pytest.raises(OtherFormat, match="states no format"):
        check_format(tmp_path)


def test_a_folder_of_this_format_or_without_data_is_taken(tmp_path: Path) -> None:
    """Empty folders of services hold nothing; what is noted stays."""
    check_format(tmp_path / "nothing")
    (tmp_path / "kafka").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "up.log").write_text("x")
    check_format(tmp_path)
    note_format(tmp_path)
    (tmp_path / "kafka" / "data").write_text("x")
    check_format(tmp_path)
    note_format(tmp_path)
    assert (tmp_path / FORMAT_FILE).read_text() == f"{FORMAT}\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
