"""`tradewind test`: the suite, on services that it starts itself."""

from __future__ import annotations

import os
import sys

import click

from tradewind.infra.cli.checkout import run

PASSED_ON = ("TRADEWIND_CACHE", "TRADEWIND_TEST_STACK")
"""Variables that tests may see; the others are of the Tradewind that a person runs, which tests do not touch."""


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest with the arguments given; beside a running `up`, which it does not touch."""
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and name not in PASSED_ON]:
        del os.environ[name]
    sys.exit(run("pytest", *arguments))
