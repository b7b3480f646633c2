"""What long runs have shown, kept in `docs/test-evidence.md`: one row for each test and seed, the newest run's.

A test reports by the fixture `evidence`. `./dev test -m long --evidence` writes the rows of the tests that passed.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "test-evidence.md"
PROPERTY = "evidence"
BEGIN, END = "<!-- long runs: written by ./dev test -m long --evidence -->\n", "<!-- end of the long runs -->"
HEAD = "| test | seed | commit | counts |\n|---|---|---|---|\n"


def row(test: str, found: Mapping[str, Any], commit: str) -> str:
    """Return the row of a test's run; `found` has its seed and its counts."""
    counts = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in found.items() if name != "seed")
    return f"| `{test.rpartition('::')[2].partition('[')[0]}` | {found['seed']} | {commit} | {counts} |"


def merged(page: str, rows: Iterable[str]) -> str:
    """Return a page with its table's rows replaced or added, by test and seed. Raises `ValueError` without a table."""
    before, begin, rest = page.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE}: the lines {BEGIN.strip()!r} and {END!r} are gone; put them back around the table")
    kept = {_key(line): line for line in table.splitlines() if line.startswith("| `")}
    kept.update({_key(line): line for line in rows})
    lines = "".join(f"{line}\n" for _, line in sorted(kept.items()))
    return f"{before}{BEGIN}{HEAD}{lines}{END}{after}"


def commit() -> str:
    """Return the commit of the checkout, and whether it stood as that."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def _key(line: str) -> tuple[str, int]:
    found = re.match(r"\| `([^`]+)` \| (\d+) \|", line)
    if found is None:
        raise ValueError(f"{PAGE}: no row of a test and a seed: {line}")
    return found[1], int(found[2])
