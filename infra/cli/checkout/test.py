"""`tradewind test`: the suite, on services that it starts itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from tradewind.infra.cli.checkout.tools import keep_compiled, run

PASSED_ON = ("TRADEWIND_CACHE", "TRADEWIND_TEST_STACK", "TRADEWIND_TEST_IMAGE_")
"""How variables begin that tests may see. The others are of a Tradewind that a person runs: tests do not touch it."""
WORKERS = 4
"""Worker processes. Tests of services wait most of their time: four keep two cores busy."""
DISTRIBUTED = ("-n", str(WORKERS), "--dist", "loadscope")
"""`tests/harness/distribution.py` says which worker runs which test."""
SELECTING = ("-k", "-m", "--hypothesis-")
ALONE = ("-n", "--numprocesses", "--dist", "--lf", "--last-failed", "--ff", "--failed-first", "--sw", "--stepwise",
         "--pdb", "--trace", "-s", "--capture=no", "--collect-only", "--co")  # fmt: skip
"""Arguments of runs that one process does: a person looks on, or few tests are left. `-n` says the number itself."""


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest with the given arguments, beside a running `up`, which it does not touch.

    The whole suite and folders run in several processes, which share one stack. Single files run in one process, which
    starts sooner. A run of the whole suite fails if it takes more CPU time than tests/budgets.toml allows.
    """
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and not name.startswith(PASSED_ON)]:
        del os.environ[name]
    keep_compiled()
    sys.exit(run("pytest", *options(arguments), *arguments))


def options(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the arguments leave open: whether the tests are distributed, and whether they have a budget."""
    if any(argument in ALONE or argument.startswith("-n") for argument in arguments):
        return ()
    paths = [path for argument in arguments if (path := Path(argument.partition("::")[0])).exists()]
    if paths and all(path.is_file() for path in paths):
        return ()
    whole = not paths and not any(argument.startswith(SELECTING) for argument in arguments)
    return (*DISTRIBUTED, "--budgets") if whole else DISTRIBUTED
