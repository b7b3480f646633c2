"""`tradewind test`: the suite, on services that it starts itself."""

from __future__ import annotations

import sys

import click

from tradewind.infra.cli.checkout import run


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest with the arguments given; beside a running `up`, which it does not touch."""
    sys.exit(run("pytest", *arguments))
