"""An answer on a terminal while it comes, and what is said while none comes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from tradewind.connectors.ai.deltas.merging import Shown

SAY_AFTER_S: Final = 3.0
"""Most answers begin before; whoever waits for longer is told what for."""


@contextmanager
def told_to_wait(limit_s: float, after_s: float = SAY_AFTER_S) -> Iterator[Callable[[], None]]:
    """Say once on standard error what the command waits for, and how long. Calling the yielded function prevents it."""
    said = (
        f"waiting for an answer, for {limit_s:,.0f} s at most. If the model is not slow, ./dev doctor says whether the "
        "processes `usage` and `caller` are up"
    )
    timer = threading.Timer(after_s, click.echo, (said,), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def show(shown: Shown) -> None:
    """Print further text at once; after a reset the answer begins again on a new line."""
    from tradewind.connectors.ai.deltas.merging import Delta, Reset  # noqa: PLC0415 - help comes at once

    if isinstance(shown, Delta):
        click.echo(shown.text, nl=False)
    elif isinstance(shown, Reset):
        click.echo()
        click.echo(f"The text above is void, the answer begins again: {shown.reason}", err=True)
