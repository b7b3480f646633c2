"""An answer on a terminal while it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tradewind.connectors.ai.deltas.merging import Shown


def show(shown: Shown) -> None:
    """Print further text at once; after a reset the answer begins again on a new line."""
    from tradewind.connectors.ai.deltas.merging import Delta, Reset  # noqa: PLC0415 - help comes at once

    if isinstance(shown, Delta):
        click.echo(shown.text, nl=False)
    elif isinstance(shown, Reset):
        click.echo()
        click.echo(f"The text above is void, the answer begins again: {shown.reason}", err=True)
