"""`./dev` makes the environment where it is missing or stale, whatever was killed or runs at once, and no oftener."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tradewind.infra.cli.checkout import ROOT

MAKING = "making the environment"
COMMAND = "import sys\nprint('ran', *sys.argv[1:])\n"


class Checkout:
    """A checkout with no packages to install and a command that prints its arguments, on a path of its own."""

    def __init__(self, folder: Path, *, uv: bool) -> None:
        self.root = folder / "check out"  # a space, as a person's folder may have
        self.path = folder / "bin"
        (self.root / "tradewind" / "infra").mkdir(parents=True)
        (self.root / "tradewind" / "infra" / "cli.py").write_text(COMMAND)
        (self.root / "requirements.lock").write_text("# nothing\n")
        shutil.copy(ROOT / "dev", self.root / "dev")
        self.path.mkdir()
        for tool in ("sh", "dirname", "uname", "cat", "cmp", "ln", "readlink", "rm", "sleep", "mkdir"):
            found = shutil.which(tool)
            assert found is not None
            (self.path / tool).symlink_to(found)
        self.interpreter("python3", f'exec {os.path.realpath(sys.executable)} "$@"')
        if uv:
            (self.path / "uv").symlink_to(Path(sys.executable).parent / "uv")

    def interpreter(self, name: str, script: str) -> None:
        """Put an interpreter on the path."""
        (self.path / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.path / name).chmod(0o755)

    def begin(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start `./dev`, from another folder."""
        kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "UV_CACHE_DIR") if name in os.environ}
        return subprocess.Popen(
            [self.root / "dev", *arguments],
            env={**kept, "PATH": str(self.path), "UV_OFFLINE": "1", "PIP_NO_INDEX": "1", **variables},
            cwd=self.path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `./dev` to its end."""
        begun = self.begin(*arguments, **variables)
        out, errors = begun.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, begun.returncode, out, errors)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """Give a fresh checkout; uv makes environments quickly."""
    return Checkout(tmp_path, uv=True)


def test_the_first_run_makes_the_environment_and_the_second_does_not(checkout: Checkout) -> None:
    """And both run the command with what follows."""
    first, second = checkout.run("status", "--json"), checkout.run("a b")
    assert (first.returncode, first.stdout) == (0, "ran status --json\n"), first.stderr
    assert MAKING in first.stderr
    assert (second.returncode, second.stdout, second.stderr) == (0, "ran a b\n", "")


def test_without_uv_venv_and_pip_make_it(tmp_path: Path) -> None:
    """The same environment, from the standard library's tools."""
    done = Checkout(tmp_path, uv=False).run("status")
    assert (done.returncode, done.stdout) == (0, "ran status\n"), done.stderr


def test_a_changed_lock_file_makes_it_anew(checkout: Checkout) -> None:
    """What was installed from the old one is gone."""
    checkout.run()
    relic = checkout.root / ".venv" / "relic"
    relic.touch()
    (checkout.root / "requirements.lock").write_text("# something else\n")
    assert MAKING in checkout.run().stderr
    assert not relic.exists()


def test_a_moved_checkout_makes_it_anew(checkout: Checkout) -> None:
    """Programs in an environment hold its path."""
    checkout.run()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    done = checkout.run()
    assert MAKING in done.stderr
    assert done.stdout == "ran\n"


def test_one_that_was_killed_halfway_is_made_anew(checkout: Checkout) -> None:
    """It lacks the stamp, which is written last; the lock of the process that is gone does not bar the way."""
    checkout.run()
    (checkout.root / ".venv" / "made-from").unlink()
    gone = subprocess.Popen(["true"])
    gone.wait()
    (checkout.root / ".venv.lock").symlink_to(str(gone.pid))
    done = checkout.run()
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    assert MAKING in done.stderr
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_an_interpreter_that_is_gone_makes_it_anew(checkout: Checkout) -> None:
    """As after an upgrade of the system."""
    checkout.run()
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert MAKING in checkout.run().stderr


def test_several_at_once_on_a_fresh_checkout_make_it_once(checkout: Checkout) -> None:
    """The others wait, and all run."""
    begun = [checkout.begin(str(number)) for number in range(4)]
    ends = [one.communicate(timeout=120) for one in begun]
    assert [out for out, _ in ends] == [f"ran {number}\n" for number in range(4)], ends
    assert sum(MAKING in errors for _, errors in ends) == 1


def test_several_at_once_after_a_killed_one_make_it_once(checkout: Checkout) -> None:
    """Only one of them takes the dead one's lock away."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    (checkout.root / ".venv.lock").symlink_to(str(gone.pid))
    begun = [checkout.begin(str(number)) for number in range(4)]
    ends = [one.communicate(timeout=120) for one in begun]
    assert [out for out, _ in ends] == [f"ran {number}\n" for number in range(4)], ends
    assert sum(MAKING in errors for _, errors in ends) == 1


def test_an_interrupted_one_leaves_no_lock(checkout: Checkout) -> None:
    """The next one need not wait."""
    (checkout.path / "uv").unlink()
    checkout.interpreter("uv", "case $1 in venv) while :; do sleep 0.1; done ;; esac")
    begun = checkout.begin()
    while not (checkout.root / ".venv.lock").is_symlink():
        time.sleep(0.02)
    begun.terminate()
    while begun.poll() is None:  # the shell ends when the program ends that it waits for, which may only now begin
        for child in psutil.Process(begun.pid).children():
            child.terminate()
        time.sleep(0.02)
    begun.communicate(timeout=30)
    assert begun.returncode != 0
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_one_interrupted_just_as_it_takes_the_lock_leaves_none(checkout: Checkout) -> None:
    """The signal comes when the link is made, and before the next line of the script."""
    real = (checkout.path / "ln").readlink()
    (checkout.path / "ln").unlink()
    checkout.interpreter("ln", f'{real} "$@"; kill -TERM $PPID')
    done = checkout.run()
    assert done.returncode == 143
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_an_interrupted_one_leaves_the_lock_of_another(checkout: Checkout) -> None:
    """It waited for one that is at work."""
    lock = checkout.root / ".venv.lock"
    lock.symlink_to(str(os.getpid()))
    (checkout.path / "sleep").unlink()
    checkout.interpreter("sleep", "kill -TERM $PPID")
    assert checkout.run().returncode == 143
    assert lock.readlink() == Path(str(os.getpid()))


def test_an_interpreter_that_does_not_run_is_passed_over(checkout: Checkout) -> None:
    """As a shim of a version that is not installed, or one that is too old or too new."""
    checkout.interpreter("python3.14", "echo no such version >&2; exit 127")
    checkout.interpreter("python3.13", "echo 3.10")
    done = checkout.run()
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


def test_a_python_that_cannot_make_environments_is_told_what_to_install(tmp_path: Path) -> None:
    """Stock Debian has no ensurepip."""
    checkout = Checkout(tmp_path, uv=False)
    real = os.path.realpath(sys.executable)
    checkout.interpreter("python3", f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {real} "$@"')
    done = checkout.run()
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert "uv" in done.stderr


def test_without_any_python_it_says_which_to_install(tmp_path: Path) -> None:
    """With the versions that do."""
    checkout = Checkout(tmp_path, uv=False)
    (checkout.path / "python3").unlink()
    done = checkout.run()
    assert done.returncode == 1
    assert "3.11 to 3.14" in done.stderr


@pytest.mark.parametrize("uv", [True, False])
def test_without_a_network_it_says_so_and_tries_again_the_next_time(tmp_path: Path, *, uv: bool) -> None:
    """The half that was made is not taken for an environment."""
    checkout = Checkout(tmp_path, uv=uv)
    lock = checkout.root / "requirements.lock"
    digest = "0" * 64
    lock.write_text(f"tradewind-needs-this==1.0 --hash=sha256:{digest}\n")
    for _ in range(2 if uv else 1):  # pip takes long to make one
        done = checkout.run()
        assert done.returncode == 1
        assert "network" in done.stderr
        assert MAKING in done.stderr
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_benches_get_an_environment_of_their_own(checkout: Checkout) -> None:
    """For the peers' packages; no other command makes it."""
    (checkout.root / "requirements-bench.lock").write_text("# nothing\n")
    checkout.run("status")
    assert not (checkout.root / ".venv-bench").exists()
    assert checkout.run("bench", "bars").stdout == "ran bench bars\n"
    assert (checkout.root / ".venv-bench" / "bin" / "python").exists()
