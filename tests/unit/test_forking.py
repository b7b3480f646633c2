"""Processes that a fork server starts for tests: as good as started ones, and none outlives the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes.forking import TESTS, Forked, Server, finished, forked

SOON_S = 30.0
SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
LEFT = """
import sys, time
from pathlib import Path
from processes.forking import forked
with Path(sys.argv[2]).open("wb") as out:
    process = forked(sys.argv[1], environment={}, out=out, server=())
print(process.pid, flush=True)
time.sleep(600)
"""


def start(folder: Path, text: str, *arguments: str, **environment: str) -> Forked:
    """Start a program by a server that has imported nothing."""
    program = folder / "program.py"
    program.write_text(text)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return forked(str(program), *arguments, environment=environment, out=out, err=err, server=())


def soon(folder: Path, text: str) -> None:
    """Wait until a program has said something."""
    deadline = time.monotonic() + SOON_S
    while text not in (folder / "out").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Wait until a process has ended, whoever is to take note of it."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.01)
    return False


def test_a_program_has_its_arguments_its_environment_and_its_output(tmp_path: Path) -> None:
    """And its exit code is known."""
    text = "import os, sys\nprint(__name__, sys.argv[1:], dict(os.environ), os.getcwd())\nsys.exit('no more')"
    process = start(tmp_path, text, "a", "b c", NAME="value")
    assert process.wait(SOON_S) == process.poll() == process.returncode == 1
    assert (tmp_path / "out").read_text() == f"__main__ ['a', 'b c'] {{'NAME': 'value'}} {Path.cwd()}\n"
    assert (tmp_path / "err").read_text() == "no more\n"


def test_an_exception_is_printed_and_ends_it_with_1(tmp_path: Path) -> None:
    """As of every program."""
    assert start(tmp_path, "raise ValueError('why')").wait(SOON_S) == 1
    assert (tmp_path / "err").read_text().endswith("ValueError: why\n")


def test_a_module_is_run_as_python_does_it(tmp_path: Path) -> None:
    """`python -m`."""
    with (tmp_path / "out").open("wb") as out:
        process = forked("platform", "--terse", environment={}, out=out, module=True, server=())
    assert process.wait(SOON_S) == 0
    assert (tmp_path / "out").read_text().startswith("Linux")


@pytest.mark.parametrize(("given", "read"), [(b"a\nb\n", "a\nb\n"), (None, "")])
def test_a_program_reads_what_it_is_given(tmp_path: Path, given: bytes | None, read: str) -> None:
    """Or nothing, whatever the tests themselves would read."""
    program, source = tmp_path / "program.py", tmp_path / "given"
    program.write_text("import sys\nsys.stdout.write(sys.stdin.read())")
    source.write_bytes(given or b"")
    with (tmp_path / "out").open("wb") as out, source.open("rb") as file:
        how = None if given is None else file
        assert forked(str(program), environment={}, out=out, given=how, server=()).wait(SOON_S) == 0
    assert (tmp_path / "out").read_text() == read


def test_a_command_is_run_to_its_end() -> None:
    """With its exit code and all that it printed, as `subprocess.run` has them."""
    done = finished("nonsense", environment={}, timeout_s=4 * SOON_S)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'nonsense'" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_and_that_is_noticed(tmp_path: Path, number: signal.Signals) -> None:
    """By its pid, as of any other process; the next one is another process."""
    process = start(tmp_path, SLEEP)
    soon(tmp_path, "begun")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    os.kill(process.pid, number)
    assert process.wait(SOON_S) == -number
    process.kill()  # it has ended: nobody else's process is meant by the number
    assert start(tmp_path, "").pid != process.pid


def test_what_a_server_has_forked_ends_with_it(tmp_path: Path) -> None:
    """Killed as it may be; the next process has a server of its own."""
    process = start(tmp_path, SLEEP)
    soon(tmp_path, "begun")
    os.kill(psutil.Process(process.pid).ppid(), signal.SIGKILL)
    assert process.wait(SOON_S) == -signal.SIGKILL
    assert gone(process.pid)
    assert start(tmp_path, "").wait(SOON_S) == 0


def test_nothing_is_left_of_tests_that_are_killed(tmp_path: Path) -> None:
    """The server ends with the connection, and what it has forked with the server."""
    (tmp_path / "program.py").write_text(SLEEP)
    tests = subprocess.Popen(
        [sys.executable, "-c", LEFT, str(tmp_path / "program.py"), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert tests.stdout is not None
    pid = int(tests.stdout.readline())
    server = psutil.Process(pid).ppid()
    tests.kill()
    tests.wait()
    assert gone(pid)
    assert gone(server)


def test_a_server_that_cannot_import_says_so() -> None:
    """It does not wait for ever."""
    server = Server(("no_such_module",))
    with Path(os.devnull).open("wb") as out, pytest.raises(AssertionError, match="the fork server has ended"):
        server.fork({}, out, out)
