"""Can the tests fail? Each mutant, a module with one small error by cosmic-ray, must be killed by unit tests near it.

A survivor is an error that no test sees: a test is missing, or the mutant does the same as the program, which
infra/bench/survivors.toml says of it with the reason. No file is changed, and nothing needs a service.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.table import Table

import tradewind
from tradewind.infra.bench.parts.mutation.mutants import Explained, Mutant, Tried, explanations, made
from tradewind.infra.bench.parts.mutation.near_tests import near_tests
from tradewind.infra.bench.parts.mutation.trials import End
from tradewind.infra.bench.parts.progress import Progress, say

CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
BENCH = CHECKOUT / "infra" / "bench"
BENCH_PYTHON = CHECKOUT / ".venv-bench" / "bin" / "python"
RUNTIME = (
    *("commit.bounded", "commit.digest", "commit.fingerprint", "commit.journal", "commit.outbox"),
    *("commit.pacing", "commit.versions", "lease", "read.inbox", "read.positions"),
    *("watch.statistics", "watch.facts", "work.dead_letters", "work.encoded_state", "work.hold"),
    *("work.piece_processing", "work.pieces", "work.routing", "work.state", "work.task"),
)
WATCHDOGS = ("watch", "watchdog")
DECISIONS = ("market.leaps", "risk.processor", "risk.checks", "risk.exposure")
MODULES = (
    *(f"streams.runtime.{name}" for name in RUNTIME),
    *(f"connectors.watchdogs.{name}" for name in WATCHDOGS),
    *(f"processors.{name}" for name in DECISIONS),
)
"""What decides and asks no broker; the rest is left to the integration tests and the fault suite."""
BASE_S = 600.0  # for the tests without a mutant
TIMES, LEAST_S = 5, 10.0  # a mutant may take that many times as long as none, and on a busy machine some seconds anyway


class Untestable(RuntimeError):
    """Mutants of a module can prove nothing; the message says why."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench mutation", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--module", action="append", default=[], metavar="NAME", help="such as hold; again for more")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def chosen(names: Sequence[str]) -> list[str]:
    """Return modules by their last names, or by as much of the whole as is needed; all of `MODULES` for no names.

    A whole name, such as `processors.market.processor`, may be of any module.
    """
    found: list[str] = []
    for name in names:
        of_list = [module for module in MODULES if module == name or module.endswith(f".{name}")]
        if not of_list and "." in name and file_of(name).is_file():
            of_list = [name]
        if len(of_list) != 1:
            raise SystemExit(f"bench mutation: {name!r} is none, or more than one, of: {', '.join(MODULES)}")
        found += of_list
    return found or list(MODULES)


def file_of(module: str) -> Path:
    """Return where a module is."""
    return CHECKOUT.joinpath(*module.split(".")).with_suffix(".py")


def main(argv: Sequence[str]) -> int:
    """Try the mutants of modules; returns 1 where one survived that nobody explained."""
    given = arguments(argv)
    modules, known = chosen(given.module), explanations(BENCH / "survivors.toml")
    progress, found = Progress(["module"] * len(modules)), []
    for module in modules:
        progress.begin("module")
        found.append(tried(module, known.get(module, [])))
    if given.json:
        print(json.dumps([one.as_dict() for one in found], indent=1))
    else:
        report(found, Console())
    return 1 if any(one.unexplained or one.outdated for one in found) else 0


def tried(module: str, explained: Sequence[Explained]) -> Tried:
    """Try all mutants of a module."""
    stages = near_tests(CHECKOUT, module)
    if not stages:
        raise Untestable(f"{module}: no unit test imports it, or what imports it")
    mutants, begun = made(BENCH_PYTHON, BENCH / "peers" / "mutants.py", file_of(module)), time.monotonic()
    with Trials(module, stages) as trials:
        ends = [(mutant, trials.end_of(mutant)) for mutant in mutants]
    done = Tried(module, ends, explained, time.monotonic() - begun)
    say(f"{module}: {len(done.unexplained)} of {len(ends)} survived unexplained")
    return done


class Trials:
    """The process that tries the mutants of a module; a context. Entering it tries the module as it is."""

    def __init__(self, module: str, stages: Sequence[Sequence[str]]) -> None:
        self._module = module
        self._stages = stages
        self._limits: list[float] = []
        path = Path(tradewind.__file__).resolve().parent.joinpath(*module.split(".")).with_suffix(".py")
        command = [
            sys.executable,
            "-P",
            "-m",
            "tradewind.infra.bench.parts.mutation.trials",
            f"tradewind.{module}",
            str(path),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        )

    def __enter__(self) -> Self:
        source = file_of(self._module).read_text()
        for tests in self._stages:
            end, seconds = self._tried(source, tests, BASE_S)
            if end != "survived":
                raise Untestable(f"{self._module}: {' '.join(tests)}: not passed as it is, but {end}")
            self._limits.append(max(LEAST_S, TIMES * seconds))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def end_of(self, mutant: Mutant) -> End:
        """Return how a mutant ended: by the first stage that it did not survive."""
        for tests, limit in zip(self._stages, self._limits, strict=True):
            end, _ = self._tried(mutant.source, tests, limit)
            if end != "survived":
                return end
        return "survived"

    def _tried(self, source: str, tests: Sequence[str], seconds: float) -> tuple[End, float]:
        """Return how a trial ended, and after how many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"source": source, "tests": tests, "seconds": seconds}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Untestable("the process that tries mutants has ended; what it said stands above")
        told = json.loads(answer)
        return told["end"], told["seconds"]


def report(found: Sequence[Tried], console: Console) -> None:
    """Print a table of the modules, and what survived in each."""
    columns = ("module", "mutants", "killed", "timed_out", "survived", "explained", "seconds")
    table = Table(*columns)
    for one in found:
        told = one.as_dict()
        table.add_row(*(str(told[name]) for name in columns))
    console.print(table)
    for line in listed(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def listed(found: Sequence[Tried]) -> Iterator[str]:
    """Yield what survived, with the reason or the lack of one, and the reasons that are outdated."""
    for one in found:
        path = file_of(one.module).relative_to(CHECKOUT)
        for mutant, why in one.survivors:
            yield f"{path}:{mutant.line}: {mutant.was}\n    becomes: {mutant.becomes}"
            yield f"    {'SURVIVED: no test sees it' if why is None else why}"
        for each in one.outdated:
            yield f"{path}: OUTDATED, it explains no survivor: {each.was}"
