"""Applies settings of AI, and says whether they are in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.processors.ai.settings import Setting


def apply_and_say(changes: Sequence[Setting], revision: int, settings: Settings, codec: Any) -> None:
    """Apply changes to a revision, and say what has become of them; raises `click.ClickException` if refused."""
    from tradewind.connectors.ai.applying import READ_S, apply_and_follow  # noqa: PLC0415 - help comes at once

    what = of_number(len(changes))
    made, standing = apply_and_follow(changes, revision, settings, codec)
    if standing == "REFUSED":
        raise click.ClickException(
            f"the agent `ai` has refused revision {made}, because somebody else has applied settings meanwhile. "
            "Nothing was changed: apply the same once more"
        )
    if standing == "UNREAD":
        click.echo(
            f"{what} written as revision {made}, and not in force yet: the agent `ai` has not read it within "
            f"{READ_S:.0f} s. ./dev doctor says whether the process `usage` is up"
        )
        return
    click.echo(f"{what} in force as revision {made}: ./dev ai providers and ./dev ai routes show what holds")


def of_number(number: int) -> str:
    """Return how many entries there are, as the beginning of a sentence."""
    return "1 entry is" if number == 1 else f"{number:,} entries are"
