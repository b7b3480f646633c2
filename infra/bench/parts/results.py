"""What every bench prints: one JSON object with `--json`, a table otherwise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Result:
    """A figure: the median of its runs."""

    name: str
    value: float
    unit: str
    runs: tuple[float, ...] = ()
    """Each run's figure, in the order in which they were measured."""

    @classmethod
    def of(cls, name: str, unit: str, runs: Sequence[float]) -> Result:
        """Return the median of some runs."""
        return cls(name, round(median(runs), 1), unit, tuple(round(run, 1) for run in runs))


def report(results: Sequence[Result], notes: Sequence[str], *, as_json: bool) -> None:
    """Print the figures."""
    if as_json:
        print(json.dumps({"results": [asdict(result) for result in results], "notes": list(notes)}, indent=1))
        return
    table = Table("figure", "median", "unit", "runs")
    for result in results:
        table.add_row(result.name, f"{result.value:,.1f}", result.unit, ", ".join(f"{run:,.0f}" for run in result.runs))
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, style="dim")
