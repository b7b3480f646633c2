"""Shows the start, and then one table that stays in place; plain lines where there is no terminal."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from tradewind.connectors.health.watch import Glance
from tradewind.infra.services.stack import Step
from tradewind.infra.status.table import SHOWN, flow_table

MB = 1_000_000
LINE = ("ticks", "bars", "signals", "orders", "denied", "fills")
"""Totals that a plain line has room for."""
PLAIN_STEP = 0.1
"""Without a terminal, a download prints a line at each tenth."""


@dataclass(frozen=True, slots=True)
class View:
    """What the table shows."""

    up_s: float
    glance: Glance | None
    """None until the first look."""
    notes: tuple[str, ...]
    """What a person should know besides."""


class Screen:
    """Standard output, as terminal or as lines. `step` may be called from several threads."""

    def __init__(self, every_s: float = 1.0) -> None:
        self.every_s = every_s
        """How often the table is shown."""
        self._console = Console(highlight=False)
        self._live: Live | None = None
        self._told = 0.0
        self._notes: tuple[str, ...] = ()

    def say(self, text: str) -> None:
        """Print a line, above the table."""
        with suppress(OSError):  # its file may be on a full disk, of which nothing must die
            self._console.print(text, markup=False, soft_wrap=True)

    def step(self, step: Step) -> None:
        """Tell of the services' start."""
        if step.running is not None:
            one = step.running
            self.say(f"{one.name} {one.version} at {one.url} after {one.ready_s:.1f} s")
        elif step.fetched is not None:
            self._fetched(step.fetched.bytes, step.fetched.bytes_total, step.fetched.files, step.fetched.files_total)

    def show(self, view: View) -> None:
        """Show what flows now."""
        if self._console.is_terminal:
            self._draw(Group(flow_table(view.glance, view.up_s), *(Text(note, "yellow") for note in view.notes)))
            return
        if view.glance is not None:
            self.say(line(view.glance))
        for note in view.notes:
            if note not in self._notes:
                self.say(note)
        self._notes = view.notes

    def close(self) -> None:
        """Leave the last table on the terminal."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self, what: Group | Text) -> None:
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(what, refresh=True)

    def _fetched(self, done: int, total: int, files: int, files_total: int) -> None:
        text = f"Java servers: {files} of {files_total} files, {done / MB:.0f} of {total / MB:.0f} MB, checked"
        if self._console.is_terminal:
            self._draw(Text(text))
            if done == total:
                self.close()
        elif total and (done == total or done / total >= self._told + PLAIN_STEP):
            self._told = done / total
            self.say(text)


def line(glance: Glance) -> str:
    """Return one look at what flows as one line."""
    flowed = " ".join(f"{SHOWN.get(name, name)} {glance.totals[name]:,}" for name in LINE)
    behind = sum(lag.lag for lag in glance.lags)
    per_s = f"{glance.rates['ticks']:,.0f}"
    return f"{time.strftime('%H:%M:%S')} ticks/s {per_s} {flowed} lag {behind:,}"
