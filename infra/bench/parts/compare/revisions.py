"""Two revisions of the checkout side by side, each with an environment of its own, and runs of a bench in each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind.infra.bench.parts.compare.judged import Run
from tradewind.infra.bench.parts.services import BenchFailed
from tradewind.infra.services import guard

DRIVER = Path(__file__).with_name("driver.py")
LAST_LINES = 5
GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
"""Hooks are for a person's checkouts."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A tree of files to measure."""

    name: str
    """As it was asked for, or HEAD."""
    commit: str
    tree: Path


def commit_of(checkout: Path, revision: str) -> str:
    """Return the commit of a revision; raises `BenchFailed`."""
    done = _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode != 0:
        why = done.stderr.strip() or "git log shows those there are"
        raise BenchFailed(f"{checkout} has no revision {revision!r}: {why}")
    return done.stdout.strip()


def is_dirty(checkout: Path) -> bool:
    """Return whether files differ from HEAD."""
    return bool(_git(checkout, "status", "--porcelain").stdout.strip())


@contextmanager
def checked_out(checkout: Path, revision: str, folder: Path) -> Iterator[Revision]:
    """Give a revision's files in a work tree in `folder`, which git forgets when the block ends."""
    commit, tree = commit_of(checkout, revision), folder / "revision"
    _git(checkout, "worktree", "prune")  # that of a comparison that was killed
    shared = checkout.parent / "shared"
    if shared.exists():  # where benches look for recorded days
        (folder / "shared").symlink_to(shared)
    try:
        done = _git(checkout, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        if done.returncode != 0:
            raise BenchFailed(f"git cannot check out {revision} in {tree}: {done.stderr.strip()}")
        yield Revision(revision, commit, tree)
    finally:
        _git(checkout, "worktree", "remove", "--force", str(tree))


class Runs:
    """Runs a bench in revisions, each time alone, with a log for each run."""

    def __init__(self, folder: Path, bench: str, short: Mapping[str, Any]) -> None:
        self._bench, self._short = bench, json.dumps(short)
        self._logs, self._temporary = folder / "logs", folder / "tmp"
        for made in (self._logs, self._temporary):
            made.mkdir()
            made.chmod(0o711)

    def prepare(self, revision: Revision) -> None:
        """Have the revision's own `./dev` make its environment; raises `BenchFailed`."""
        self._run(revision, "environment", [str(revision.tree / "dev"), "--version"])

    def run(self, revision: Revision, number: int) -> Run:
        """Run the bench once, and return its figures; raises `BenchFailed`."""
        python = str(revision.tree / ".venv" / "bin" / "python")
        command = [python, "-P", "-c", DRIVER.read_text(), self._bench, self._short]
        out = self._run(revision, f"run-{number}", command)
        try:
            found = json.loads(out.read_text())["results"]
            return {str(of["name"]): (float(of["value"]), str(of["unit"])) for of in found}
        except (ValueError, KeyError, TypeError) as error:
            raise BenchFailed(f"run {number} of {revision.name} printed no figures: {self._kept(out)}") from error

    def _run(self, revision: Revision, what: str, command: Sequence[str]) -> Path:
        """Run a program, its standard output and its log in files; return the file of the output."""
        log, out = (self._logs / f"{revision.name.replace('/', '-')}-{what}.{kind}" for kind in ("log", "json"))
        with log.open("wb") as errors, out.open("wb") as figures:
            code = guard.run(command, cwd=revision.tree, env=self._environment(), stdout=figures, stderr=errors)
        if code != 0:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
            raise BenchFailed(
                f"{what} of {revision.name} failed with exit code {code}: {self._kept(log)} ends with\n{last}"
            )
        return out

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
        if (cache := os.environ.get("TRADEWIND_CACHE")) is not None:
            own["TRADEWIND_CACHE"] = cache
        # An older bench's folder is found, and goes, with this one's.
        return {**own, "TMPDIR": str(self._temporary), "PYTHON": os.path.realpath(sys.executable)}

    def _kept(self, path: Path) -> Path:
        """Copy a file to where it stays, for the folder goes."""
        return Path(shutil.copy(path, Path(tempfile.mkdtemp(prefix="tradewind-compare-failed-")) / path.name))


def _git(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*GIT, "-C", str(checkout), *arguments], capture_output=True, text=True, check=False)
