"""`tradewind test`: the suite, on services that it starts itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tradewind.infra.cli.checkout import run

PASSED_ON = ("TRADEWIND_CACHE", "TRADEWIND_TEST_STACK")
"""Variables that tests may see; the others are of the Tradewind that a person runs, which tests do not touch."""


SHARED = ("-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder")
"""Two processes: one for all that needs services, which waits much of its time, and one for the rest."""


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest with the arguments given; beside a running `up`, which it does not touch.

    The whole suite runs in two processes at once, unless -n says otherwise; what is selected, in one.
    """
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and name not in PASSED_ON]:
        del os.environ[name]
    sys.exit(run("pytest", *(() if _selects(arguments) else SHARED), *arguments))


def _selects(arguments: tuple[str, ...]) -> bool:
    """Whether arguments name tests, or how many processes run them."""
    flags = ("-k", "-m", "-n", "--lf", "--ff", "--pdb", "--collect")
    return any(argument.startswith(flags) or Path(argument.partition("::")[0]).exists() for argument in arguments)
