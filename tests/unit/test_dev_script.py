"""`./dev` makes the environment where it is missing or stale, whatever was killed or runs at once, and no oftener."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tradewind.infra.cli.checkout.tools import ROOT

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
        for tool in ("sh", "dirname", "uname", "cat", "cmp", "ln", "readlink", "rm", "rmdir", "sleep", "mkdir"):
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
        return ended(self.begin(*arguments, **variables))

    def run_as(self, *command: str | Path, cwd: Path, path: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command that leads to `./dev`, in a folder; `path` comes before the tools."""
        kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "UV_CACHE_DIR") if name in os.environ}
        searched = f"{path}:{self.path}" if path else str(self.path)
        environment = {**kept, "PATH": searched, "UV_OFFLINE": "1", "CDPATH": f"{self.root.parent}:{self.root}:/"}
        return ended(
            subprocess.Popen(
                [str(part) for part in command],
                env=environment,
                cwd=cwd,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )


def ended(begun: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a process."""
    out, errors = begun.communicate(timeout=120)
    return subprocess.CompletedProcess(begun.args, begun.returncode, out, errors)


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
    """Its stamp is written last; the lock of the process that is gone does not bar the way."""
    checkout.run()
    (checkout.root / ".venv" / "made-from").write_text("unfinished\n")
    gone = subprocess.Popen(["true"])
    gone.wait()
    (checkout.root / ".venv.lock").symlink_to(str(gone.pid))
    done = checkout.run()
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
    assert MAKING in done.stderr
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_one_killed_while_it_removed_the_old_environment_is_known_again(checkout: Checkout) -> None:
    """The mark is in the folder first and stays to the last, so that half of an environment is no person's."""
    checkout.run()
    (checkout.root / "requirements.lock").write_text("# something else\n")
    real = (checkout.path / "rm").readlink()
    (checkout.path / "rm").unlink()
    checkout.interpreter("rm", f'case $* in *-rf*) {real} "$@"; kill -9 $PPID ;; *) exec {real} "$@" ;; esac')
    killed = 0
    while (done := checkout.run()).returncode == -signal.SIGKILL and killed < 20:  # one more entry is gone each time
        assert (checkout.root / ".venv" / "made-from").is_file()
        killed += 1
    assert killed >= 3
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


@pytest.mark.parametrize("killed_in", ["uv", "mkdir"])
def test_one_killed_at_its_very_start_is_known_again(checkout: Checkout, killed_in: str) -> None:
    """Before the folder has its mark, and before anything else is in it."""
    real = (checkout.path / killed_in).readlink()
    (checkout.path / killed_in).unlink()
    checkout.interpreter(killed_in, f'[ $1 != -p ] || {real} "$@"; kill -9 $PPID')
    assert checkout.run().returncode == -signal.SIGKILL
    (checkout.path / killed_in).unlink()
    (checkout.path / killed_in).symlink_to(real)
    done = checkout.run()
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


def links(checkout: Checkout, kind: str, home: Path) -> tuple[list[str | Path], str]:
    """Make a way that leads to `./dev`, in a person's folder; returns the command and what is added to the path."""
    real = checkout.root / "dev"
    match kind:
        case "link":
            (home / "dev").symlink_to(real)
            return [home / "dev"], ""
        case "relative link":
            (home / "dev").symlink_to(os.path.relpath(real, home))
            return ["./dev"], ""
        case "chain of links":
            (home / "sub").mkdir()
            (home / "sub" / "one").symlink_to("../two")
            (home / "two").symlink_to(home / "three three")
            (home / "three three").symlink_to(os.path.relpath(real, home))
            return ["sub/one"], ""
        case "link to the folder":
            (home / "tw").symlink_to(checkout.root)
            return ["tw/dev"], ""
        case "link in a linked folder":
            deep = home / "a" / "b"
            deep.mkdir(parents=True)
            (deep / "dev").symlink_to(os.path.relpath(real, deep))
            (home / "short").symlink_to(deep)
            return ["short/dev"], ""
        case "by the path":
            (home / "dev").symlink_to(real)
            return ["dev"], str(home)
        case "by the path, here":
            (home / "dev").symlink_to(real)
            return ["dev"], "."
        case "sh dev":
            (home / "dev").symlink_to(real)
            return ["sh", "dev"], ""
        case _:
            (home / "-e x").mkdir()
            (home / "-e x" / "dev").symlink_to(real)
            return ["./-e x/dev"], ""


@pytest.mark.parametrize(
    "kind",
    [
        "link",
        "relative link",
        "chain of links",
        "link to the folder",
        "link in a linked folder",
        "by the path",
        "by the path, here",
        "sh dev",
        "in a folder with a leading dash",
    ],
)
def test_a_link_uses_the_checkout_and_leaves_what_lies_beside_it(checkout: Checkout, tmp_path: Path, kind: str) -> None:
    """A person's `.venv` beside the link, or in the folder from which it is run, stays as it is."""
    home = tmp_path / "a person's home"
    (home / ".venv").mkdir(parents=True)
    (home / ".venv" / "precious.txt").write_text("mine")
    (home / "requirements.lock").write_text("# theirs\n")
    command, path = links(checkout, kind, home)
    done = checkout.run_as(*command, "a b", cwd=home, path=path)
    assert (done.returncode, done.stdout) == (0, "ran a b\n"), done.stderr
    assert [entry.name for entry in (home / ".venv").iterdir()] == ["precious.txt"]
    assert (checkout.root / ".venv" / "bin" / "python").exists()


def test_a_copy_beside_no_checkout_removes_nothing(checkout: Checkout, tmp_path: Path) -> None:
    """It says where it looked, before it looks at any environment."""
    (tmp_path / ".venv").mkdir()
    shutil.copy(checkout.root / "dev", tmp_path / "dev")
    done = checkout.run_as(tmp_path / "dev", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{tmp_path}, where this script lies, is no checkout" in done.stderr
    assert (tmp_path / ".venv").is_dir()


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link", "file"])
def test_an_environment_that_it_did_not_make_is_refused(checkout: Checkout, tmp_path: Path, kind: str) -> None:
    """It is a person's, and only that person may remove it."""
    venv, elsewhere = checkout.root / ".venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "made-from").write_text("another stamp")
    match kind:
        case "folder":
            venv.mkdir()
            (venv / "pyvenv.cfg").write_text("home = /usr/bin")
        case "link":
            venv.symlink_to(elsewhere)
        case "dangling link":
            venv.symlink_to(tmp_path / "unplugged")
        case _:
            venv.write_text("mine")
    before = os.lstat(venv)
    done = checkout.run()
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{venv} is there, and this script did not make it: move it away or remove it" in done.stderr
    assert os.lstat(venv) == before
    assert (elsewhere / "made-from").read_text() == "another stamp"
    assert not (checkout.root / ".venv.lock").is_symlink()


def test_an_empty_folder_is_taken(checkout: Checkout) -> None:
    """As a volume's mount point or a killed `./dev` leaves it: nothing is lost with it."""
    (checkout.root / ".venv").mkdir()
    assert checkout.run().returncode == 0


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_lock_that_it_did_not_make_is_refused(checkout: Checkout, kind: str) -> None:
    """Neither removed nor waited for."""
    lock = checkout.root / ".venv.lock"
    match kind:
        case "file":
            lock.write_text("uv's")
        case "folder":
            (lock / "inside").mkdir(parents=True)
        case _:
            lock.symlink_to("my notes")
    done = checkout.run()
    assert done.returncode == 1
    assert f"{lock} is there, and this script did not make it" in done.stderr
    assert os.path.lexists(lock)


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
        with suppress(psutil.Error):  # it has just ended
            for child in psutil.Process(begun.pid).children():
                if any(Path(word).name == "uv" for word in child.cmdline()):  # and not what removes the lock
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


def test_the_bench_of_backtests_has_other_peers(checkout: Checkout) -> None:
    """They are large, so no other bench waits for them."""
    (checkout.root / "requirements-bench-backtest.lock").write_text("# nothing\n")
    assert checkout.run("bench", "backtest").stdout == "ran bench backtest\n"
    assert (checkout.root / ".venv-bench-backtest" / "bin" / "python").exists()
    assert not (checkout.root / ".venv-bench").exists()
