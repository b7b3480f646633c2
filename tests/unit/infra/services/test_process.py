"""Server processes: recorded, stopped within bounds, and never mistaken for others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tradewind.infra.services import process
from tradewind.infra.services.process import Command, Record, Server, end_recorded, read_record, started
from tradewind.infra.services.service import ServiceFailed, StartCancelled

SLEEP = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}], start_new_session=True); {SLEEP}"


class Bench:
    """Makes servers in a data folder, and ends what they leave."""

    def __init__(self, data: Path) -> None:
        self.data, self.run = data, data / "run"
        self.run.mkdir()
        self.servers: list[Server] = []

    def server(
        self, code: str = SLEEP, name: str = "demo", closing: threading.Event | None = None, **bounds: int
    ) -> Server:
        folder = self.data / name
        folder.mkdir(exist_ok=True)
        argv = (os.path.realpath(sys.executable), "-c", code)
        server = Server(Command(name, argv, folder, self.data / "logs" / f"{name}.log"), self.run, closing, **bounds)
        self.servers.append(server)
        return server


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Give a data folder with servers that end with the test."""
    found = Bench(tmp_path)
    yield found
    for server in found.servers:
        server.stop(grace_s=0)


def said_up(server: Server) -> str:
    """Probe: the program has begun."""
    if "up" not in server.command.log.read_text():
        raise ConnectionError("not yet")
    return "1"


def test_runs_in_a_session_of_its_own(bench: Bench) -> None:
    """A Ctrl-C at the terminal does not reach the servers: they are stopped in order."""
    server = bench.server()
    pid = server.start()
    assert server.wait_ready(lambda: said_up(server)) == "1"
    assert os.getsid(pid) == pid
    assert server.alive
    assert server.record == Record(pid, str(started(pid)))


def test_stops_and_leaves_no_record(bench: Bench) -> None:
    """After a stop nothing runs, nothing is recorded, and stopping again does nothing."""
    server = bench.server()
    pid = server.start()
    for _ in range(2):
        server.stop()
        assert not server.alive
        assert server.record is None
    assert not psutil.pid_exists(pid)


def test_what_ignores_the_request_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not stop when asked is gone after its grace."""
    server = bench.server(STUBBORN)
    pid = server.start()
    server.wait_ready(lambda: said_up(server))
    begun = time.monotonic()
    server.stop(grace_s=0.3)
    assert 0.3 <= time.monotonic() - begun < 0.3 + process.KILL_WAIT_S
    assert not psutil.pid_exists(pid)


def test_a_stranger_with_the_recorded_pid_is_never_signalled(bench: Bench) -> None:
    """Where the pid was given to another process, stopping, killing and starting leave that one alone."""
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], cwd=bench.data)
    try:
        server = bench.server()
        forged = {"pid": stranger.pid, "started": "another time", "stop_signal": signal.SIGTERM}
        for act in (server.kill, server.stop, lambda: end_recorded(bench.run), server.start):
            (bench.run / "demo.json").write_text(json.dumps(forged))
            assert not server.alive
            act()
            time.sleep(0.05)
            assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_zombie_counts_as_ended() -> None:
    """A process that has ended, and that nobody has waited for, does not run."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    deadline = time.monotonic() + 10
    while started(child.pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    child.wait()


def test_a_server_of_a_killed_starter_is_ended_by_the_next(bench: Bench) -> None:
    """Another object, as in another process, finds the record and replaces the server."""
    first = bench.server().start()
    second = bench.server().start()
    assert second != first
    assert started(first) is None


def test_end_recorded_ends_all_and_names_them(bench: Bench) -> None:
    """A stack that was killed leaves servers, which are ended by their records alone."""
    pids = [bench.server(name=name).start() for name in ("one", "two")]
    assert sorted(end_recorded(bench.run)) == ["one", "two"]
    assert [started(pid) for pid in pids] == [None, None]
    assert end_recorded(bench.run) == []


def test_a_server_without_a_record_is_found_by_its_folder(bench: Bench) -> None:
    """A starter that was killed before it wrote the record leaves a server that the next start still ends."""
    server = bench.server()
    pid = server.start()
    (bench.run / "demo.json").unlink()
    assert bench.server().start() != pid
    assert started(pid) is None


def test_children_of_a_killed_server_go_too(bench: Bench) -> None:
    """What a killed server leaves behind, even in sessions of its own, does not hold its files for long."""
    server = bench.server(PARENT)
    pid = server.start()
    server.wait_ready(lambda: said_up(server))
    deadline = time.monotonic() + 10
    while not (children := psutil.Process(pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    server.kill()
    assert children[0].is_running()
    server.stop()
    assert not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("text", ["", "{", "{}", '{"pid": "x"}', "[]"])
def test_half_a_record_is_no_record(tmp_path: Path, text: str) -> None:
    """A record that a crash cut short names no process."""
    path = tmp_path / "demo.json"
    path.write_text(text)
    assert read_record(path) is None


def test_a_server_that_ends_early_is_reported_with_its_log(bench: Bench) -> None:
    """The error quotes what the server said, and where more of it is."""
    server = bench.server("print('no such option: --foo'); raise SystemExit(3)")
    server.start()
    with pytest.raises(ServiceFailed, match=r"(?s)demo ended.*no such option: --foo.*demo\.log") as caught:
        server.wait_ready(lambda: said_up(server))
    assert server.exit_code == 3
    assert str(server.command.log) in str(caught.value)


def test_a_server_that_never_answers_is_reported(bench: Bench) -> None:
    """Waiting ends, with the last answer of the probe."""

    def refused() -> str:
        raise ConnectionError("refused")

    server = bench.server()
    server.start()
    with pytest.raises(ServiceFailed, match=r"(?s)not ready within 0 s \(refused\)"):
        server.wait_ready(refused, timeout_s=0.1)


def test_a_start_can_be_called_off(bench: Bench) -> None:
    """Who waits for a server is let go when the stack closes."""
    closing = threading.Event()
    server = bench.server(closing=closing)
    server.start()
    closing.set()
    with pytest.raises(StartCancelled):
        server.wait_ready(lambda: said_up(server))


def test_logs_stay_bounded(bench: Bench) -> None:
    """A log is cut under the running server, which goes on writing, and turned over at a start."""
    code = "import time\nwhile True: print('x' * 50, flush=True); time.sleep(0.005)"
    server = bench.server(code, log_bytes=1000)
    server.start()
    log = server.command.log
    deadline = time.monotonic() + 20
    while not log.with_suffix(".log.1").exists() or not log.stat().st_size:
        server.tend()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert log.read_bytes().startswith(b"x"), "appended from the beginning again, not after a hole"
    server.stop()
    log.write_bytes(b"y" * 2000)
    server.start()
    assert log.with_suffix(".log.1").read_bytes() == b"y" * 2000


def test_a_servers_environment_has_nothing_that_changes_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options for other Javas and PostgreSQLs, and Tradewind's own secrets, do not reach a server."""
    for name in ("JAVA_TOOL_OPTIONS", "PGDATA", "QDB_HTTP_USER", "TRADEWIND_KAFKA__PASSWORD"):
        monkeypatch.setenv(name, "leaked")
    server = bench.server(f"import os; print(sorted(v for v in os.environ.values() if v == 'leaked')); {SLEEP}")
    server.start()
    server.wait_ready(lambda: said_up(server))
    assert "leaked" not in server.command.log.read_text()


def test_a_program_that_prepares_data_is_called_off_with_the_start(tmp_path: Path) -> None:
    """At once, as a first start on a busy machine takes a minute for it; it does not go on by itself."""
    closing, told = threading.Event(), tmp_path / "pid"
    code = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); {SLEEP}"
    threading.Timer(1.0, closing.set).start()
    with pytest.raises(StartCancelled):
        process.run_to_end("demo", (sys.executable, "-c", code), tmp_path, 60.0, closing=closing)
    assert not psutil.pid_exists(int(told.read_text()))


def test_a_program_that_prepares_data_is_ended_after_its_time(tmp_path: Path) -> None:
    """And what it says otherwise is returned with its exit code."""
    closing = threading.Event()
    with pytest.raises(ServiceFailed, match=r"demo: .* took more than 0 s"):
        process.run_to_end("demo", (sys.executable, "-c", SLEEP), tmp_path, 0.2, closing=closing)
    done = process.run_to_end("demo", (sys.executable, "-c", "print('no'); exit(3)"), tmp_path, 60.0, closing=closing)
    assert (done.returncode, done.stdout) == (3, "no\n")
