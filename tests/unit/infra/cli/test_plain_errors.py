"""No command prints a traceback for a person's input, environment or pipe."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner
from confluent_kafka import KafkaError, KafkaException

from tradewind.connectors.settings import ServiceNotConfigured
from tradewind.infra.cli.checkout.tools import ROOT
from tradewind.infra.cli.group import tradewind
from tradewind.infra.cli.output import open_streams
from tradewind.infra.cli.plain_errors import explained

COMMAND = (sys.executable, "-P", "-m", "tradewind.infra.cli")
LOGS = 5_000


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceNotConfigured("no Kafka is known"), "no Kafka is known"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x: Permission denied; let this user have it, or"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; make room on the disk"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/f/x"), "/f/x: Not a directory; a file is in the way"),
        (KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN)), "Kafka: "),
        (asyncpg.InterfaceError("connection refused"), "PostgreSQL: connection refused; see ./dev status"),
        (sqlite3.DatabaseError("file is not a database"), "remove status.sqlite3 in the data folder"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), "'\\udcff' in an argument or input"),
    ],
)
def test_an_error_of_the_environment_is_a_sentence(error: Exception, said: str) -> None:
    """With what to do."""
    assert said in str(explained(error))


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError("x"), ValueError("x"), TypeError("x")])
def test_an_error_of_ours_keeps_its_traceback(error: Exception) -> None:
    """Nobody could mend it without."""
    assert explained(error) is None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a data folder with a log that no pipe holds, in letters that ASCII lacks."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "market.log").write_text("gr\u00fc\u00df dich \u4f60\u597d\n" * LOGS, encoding="utf-8")
    return tmp_path


def test_a_pipe_that_nobody_reads_ends_it_as_it_ends_cat(data: Path) -> None:
    """By SIGPIPE, without a word."""
    begun = subprocess.Popen(
        [*COMMAND, "logs", "-n", str(LOGS), "--data", data], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert begun.stdout is not None
    assert begun.stderr is not None
    begun.stdout.read(10)
    begun.stdout.close()
    assert (begun.wait(60), begun.stderr.read()) == (-signal.SIGPIPE, b"")
    begun.stderr.close()


def test_a_closed_output_is_no_error(data: Path) -> None:
    """As that of a daemon."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&- <&-', "sh", *COMMAND, "logs", "--data", data], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_output_on_a_full_disk_is_told(data: Path) -> None:
    """With code 1, for what was asked for is not there."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, "logs", "--data", data], stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr == b"tradewind: No space left on device; make room on the disk\n"


def test_an_output_of_ascii_has_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than no output; half a character, as a path may have, is one more that an output may lack."""
    for encoding, shown in (("ascii", b"\\xfc \\u4f60 \\udcff"), ("utf-8", b"\xc3\xbc \xe4\xbd\xa0 \\udcff")):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        open_streams()
        sys.stdout.write("\u00fc \u4f60 \udcff")
        sys.stdout.flush()
        assert raw.getvalue() == shown


def test_a_command_ends_well_where_its_output_is_ascii(data: Path) -> None:
    """As under cron."""
    done = subprocess.run(
        [*COMMAND, "logs", "-n", "1", "--data", data],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"market | gr")


def test_status_in_a_pipe_has_whole_paths(tmp_path: Path) -> None:
    """Who reads it there needs what stands at the end of a path."""
    data = tmp_path / ("long" * 40)
    data.mkdir()
    log = f"{data}/logs/market.log"
    worker = {"name": "market", "phase": "running", "pid": 1, "deaths": 0, "log": log}
    (data / "up.json").write_text(json.dumps({"supervisor": 1, "workers": [worker]}))
    shown = CliRunner().invoke(tradewind, ["status", "--data", str(data)]).output
    assert log in shown


def test_commands_print_no_json_but_strict_json() -> None:
    """`json.dumps` would print NaN, which is none, and fail for letters that the output lacks."""
    found = [path.name for path in (ROOT / "infra" / "cli").rglob("*.py") if "json.dumps" in path.read_text()]
    assert found == []


def test_no_logs_are_no_success(tmp_path: Path) -> None:
    """There was nothing to show."""
    done = CliRunner().invoke(tradewind, ["logs", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "there are no logs" in done.output
