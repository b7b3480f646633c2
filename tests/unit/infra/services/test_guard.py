"""Whatever a command starts ends with it: servers, other processes and folders, whichever way the command ends."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tradewind.infra.services.guard import VARIABLE

PATIENCE_S = 30.0
BENCH = """
import json, os, subprocess, sys, time
from pathlib import Path
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.process import Command, Server

SLEEP = "import time; print('up', flush=True); time.sleep(120)"

def main(argv):
    with temporary_folder("tradewind-bench-") as data:
        folder = data / "demo"
        folder.mkdir()
        (data / "run").mkdir()
        argv = (os.path.realpath(sys.executable), "-c", SLEEP)
        # as PostgreSQL, which overwrites its environment: its record alone leads to it
        server = Server(Command("demo", argv, folder, data / "demo.log", {"RUN_OF_TRADEWIND": ""}), data / "run")
        pids = [server.start()]
        quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for own_session in (False, True):
            worker = [sys.executable, "-c", "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); " + SLEEP]
            pids.append(subprocess.Popen(worker, start_new_session=own_session, **quiet).pid)
        Path(os.environ["TOLD"]).write_text(json.dumps({"pids": pids, "folder": str(data)}) + "\\n")
        for _ in range(1200):
            time.sleep(0.1)
            print("a line", flush=True)
    return 0
"""
RUN = """
import sys
import tradewind.infra.bench as benches
benches.__path__.append(sys.argv[1])
from tradewind.infra.cli.group import main
sys.argv = ["tradewind", "bench", "fake"]
main()
"""


class Fake:
    """A bench that starts a server and two workers and goes on for two minutes."""

    def __init__(self, folder: Path) -> None:
        (folder / "fake.py").write_text(BENCH)
        self.told = folder / "told.json"
        self.command = [sys.executable, "-P", "-c", RUN, str(folder)]
        self.environment = {**os.environ, "TOLD": str(self.told)}
        self.environment.pop(VARIABLE, None)

    def start(self, **given: Any) -> subprocess.Popen[bytes]:
        """Start it, and wait until all is started."""
        given = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **given}
        process = subprocess.Popen(self.command, env=self.environment, **given)
        wait(lambda: self.told.exists() and self.told.read_text().endswith("\n"))
        assert all(psutil.pid_exists(pid) for pid in self.pids)
        assert self.folder.exists()
        return process

    @property
    def pids(self) -> list[int]:
        """Return what it started."""
        found: list[int] = json.loads(self.told.read_text())["pids"]
        return found

    @property
    def folder(self) -> Path:
        """Return where its server's data is."""
        return Path(json.loads(self.told.read_text())["folder"])

    def left(self) -> list[int]:
        """Return what still runs; zombies have ended."""
        return [pid for pid in self.pids if psutil.pid_exists(pid) and not ended(pid)]


def ended(pid: int) -> bool:
    """Return whether a process waits only for its parent."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait(until: Callable[[], object]) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Give a fake bench."""
    return Fake(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_a_bench_started_has_ended_when_a_signal_ended_it(fake: Fake, number: signal.Signals) -> None:
    """When the command is gone, so is all else; its end tells which signal it was."""
    process = fake.start()
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == -number
    assert fake.left() == []
    assert not fake.folder.exists()


def test_what_a_bench_started_ends_soon_after_kill_9(fake: Fake) -> None:
    """Nobody is left to do it but the guard."""
    process = fake.start()
    process.kill()
    process.wait(PATIENCE_S)
    wait(lambda: not fake.left() and not fake.folder.exists())


def test_a_second_signal_does_not_break_off_the_cleaning_up(fake: Fake) -> None:
    """Ctrl-C again and again, as an impatient person does."""
    process = fake.start()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    assert process.returncode == -signal.SIGINT
    assert fake.left() == []
    assert not fake.folder.exists()


def test_a_closed_terminal_ends_it_all(fake: Fake) -> None:
    """The kernel sends SIGHUP, and every write fails from then on."""
    terminal, inside = pty.openpty()
    process = fake.start(
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(inside)
    os.close(terminal)
    process.wait(PATIENCE_S)
    assert fake.left() == []
    assert not fake.folder.exists()


def test_a_closed_standard_output_ends_it_all(fake: Fake) -> None:
    """As `./dev bench ticks | head -1` closes it."""
    process = fake.start(stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(PATIENCE_S)
    assert fake.left() == []
    assert not fake.folder.exists()


def test_another_commands_processes_are_left_alone(tmp_path: Path) -> None:
    """Two benches at once: the end of one, with kill -9 too, is no matter of the other's."""
    fakes = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fakes.append(Fake(tmp_path / name))
    first, second = (one.start() for one in fakes)
    first.kill()
    first.wait()
    wait(lambda: not fakes[0].left() and not fakes[0].folder.exists())
    assert len(fakes[1].left()) == len(fakes[1].pids)
    assert fakes[1].folder.exists()
    second.terminate()
    second.wait(PATIENCE_S)
    assert fakes[1].left() == []


def test_under_nohup_a_closed_terminal_is_no_matter(fake: Fake) -> None:
    """SIGHUP stays ignored where it was ignored."""
    process = fake.start(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    process.terminate()
    process.wait(PATIENCE_S)
    assert fake.left() == []
