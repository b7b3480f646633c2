"""Whether this tree is slower than an older revision: the same bench in both, alternately, each run alone.

    ./dev bench compare REV runtime

REV gets a git worktree in a temporary folder, with an environment that its own `./dev` makes. HEAD is this tree, with
what is not committed. Each pair of runs begins with the other revision than the pair before, so that a machine that
becomes slower, or warmer, is no advantage of either. Judged are medians: a throughput must be at least 0.9, a latency
at most 1.15 times that of REV. Exits 1 where a figure is worse, 2 where a run failed. Options that are not listed here
go to the bench, and both revisions must know them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Column, Table

import tradewind
from tradewind.infra.bench.parts.compare.judged import LEAST_THROUGHPUT, MOST_LATENCY, Figure, Run, judged
from tradewind.infra.bench.parts.compare.revisions import Revision, Runs, checked_out, commit_of, is_dirty
from tradewind.infra.bench.parts.progress import Progress, minutes, say
from tradewind.infra.bench.parts.services import BenchFailed
from tradewind.infra.services.guard import temporary_folder

CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
HERE = "tradewind.infra.bench.runtime"
WARM_UP_S = 60.0
"""Two hops before their latencies are taken. After four minutes they are lower, of both revisions alike."""
SHORT: Mapping[str, Mapping[str, Any]] = {
    "runtime": {
        "arguments": ["--runs", "1", "--ticks", "1000000", "--hop-events", "150000", "--seconds", "20", "--json"],
        "settings": [
            {"option": ["--no-peers"], "names": [f"{HERE}:PEERS"], "value": []},
            {"option": ["--warm-up-s", str(WARM_UP_S)], "names": [f"{HERE}:WARM_UP_S"], "value": WARM_UP_S},
            {
                "option": ["--warm-ups", "1"],
                "names": [f"{HERE}:WARM_UPS", "tradewind.infra.bench.parts.end_to_end:WARM_UPS"],
                "value": 1,
            },
        ],
    },
    "restore": {"arguments": ["--runs", "1", "--json"], "settings": []},
    "journal": {"arguments": ["--json"], "settings": []},
}
"""How a bench is run here: once for each start of the services, and without the peers."""
USUAL_S = {"runtime": 360.0, "restore": 60.0, "journal": 15.0}
"""How long a run takes on two cores, for the progress before the first has ended."""
ENVIRONMENT_S = 30.0
BUSY = 0.5
"""Load for each core from which figures of a machine are doubtful."""
FILE_COLUMNS = 160
"""Width of the table where it goes to a file: all runs of the longest figure in one line."""
Sides = tuple[Revision, Revision]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench compare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("revision", metavar="REV", help="a commit, tag or branch, from 95e879d on")
    parser.add_argument("bench", metavar="NAME", choices=[*SHORT], help=", ".join(SHORT))
    parser.add_argument("--runs", type=int, default=3, help="of each revision")
    parser.add_argument("--json", action="store_true")
    given, more = parser.parse_known_args(argv)
    given.more = [argument for argument in more if argument != "--"]
    if given.runs < 1:
        parser.error("--runs must be 1 or more")
    return given


def main(argv: Sequence[str], checkout: Path = CHECKOUT) -> int:
    """Compare; returns 1 where a figure is worse, 2 where a run failed."""
    given, begun = arguments(argv), time.monotonic()
    try:
        head = Revision("HEAD", commit_of(checkout, "HEAD"), checkout)
        with temporary_folder("tradewind-compare-") as folder, checked_out(checkout, given.revision, folder) as old:
            before, now = _measured(given, folder, (old, head))
    except BenchFailed as error:
        say(f"bench compare: {error}")
        return 2
    figures = judged(before, now)
    notes = [
        f"{old.name} is {old.commit[:12]}; HEAD is {head.commit[:12]}{_dirt(head)}",
        f"{given.runs} runs of each, alternately, in {minutes(time.monotonic() - begun)}",
        f"a throughput must be at least {LEAST_THROUGHPUT}, a latency at most {MOST_LATENCY} times that of {old.name}",
        "noise is how far the runs of one revision lie apart, for one of their median",
        *(f"{of.name} may be chance: runs of the two lie among each other" for of in figures if of.bad and of.overlaps),
    ]
    if given.json:
        told = [{**asdict(of), "noise": round(of.noise, 3), "overlaps": of.overlaps} for of in figures]
        worse = any(of.bad for of in figures)
        print(json.dumps({"figures": told, "worse": worse, "notes": notes}, indent=1))
    else:
        _show(figures, old.name, notes)
    return 1 if any(of.bad for of in figures) else 0


def order(runs: int) -> list[int]:
    """Return whose turn it is, 0 the older revision's and 1 this one's: each pair begins with the other one."""
    return [side for pair in range(runs) for side in ((0, 1) if pair % 2 == 0 else (1, 0))]


def _measured(given: argparse.Namespace, folder: Path, sides: Sides) -> tuple[list[Run], list[Run]]:
    short = SHORT[given.bench]
    runs = Runs(folder, given.bench, {**short, "arguments": [*short["arguments"], *given.more]})
    if (load := os.getloadavg()[0]) > BUSY * (os.cpu_count() or 1):
        say(f"the machine is busy (load {load:.1f}): other work makes figures differ more than revisions do")
    if dirt := _dirt(sides[1]):
        say(f"HEAD is measured as it stands{dirt}")
    made = [f"the environment of {side.name}" for side in sides]
    kinds, turns = [f"{given.bench} of {side.name}" for side in sides], order(given.runs)
    known = {**dict.fromkeys(made, ENVIRONMENT_S), **dict.fromkeys(kinds, USUAL_S[given.bench])}
    progress = Progress([*made, *(kinds[side] for side in turns)], known)
    for revision, what in zip(sides, made, strict=True):
        progress.begin(what)
        runs.prepare(revision)
    found: tuple[list[Run], list[Run]] = ([], [])
    for side in turns:
        progress.begin(kinds[side])
        found[side].append(runs.run(sides[side], len(found[side]) + 1))
    return found


def _dirt(head: Revision) -> str:
    return ", with changes that are not committed" if is_dirty(head.tree) else ""


def _show(figures: Sequence[Figure], old: str, notes: Sequence[str]) -> None:
    titles = ("figure", "unit", old, "HEAD", f"median of {old}", "of HEAD", "ratio", "noise", "verdict")
    table = Table(*(Column(title, no_wrap=title in {"figure", "verdict"}) for title in titles))
    for of in figures:
        ratio = "" if of.ratio is None else f"{of.ratio:.2f}"
        medians = [number(median(side)) if side else "" for side in (of.before, of.now)]
        runs = [", ".join(map(number, side)) for side in (of.before, of.now)]
        table.add_row(of.name, of.unit, *runs, *medians, ratio, f"{of.noise:.0%}", of.verdict)
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    console.print(table)
    for note in notes:
        console.print(note, style="dim", markup=False, soft_wrap=True)


def number(value: float) -> str:
    """Return a figure as a person reads it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"
