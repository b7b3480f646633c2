"""`tradewind test`: the suite, on services that it starts itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from tradewind.infra.cli.checkout import require_checkout, run

PASSED_ON = ("TRADEWIND_CACHE", "TRADEWIND_TEST_STACK")
"""Variables that tests may see; the others are of the Tradewind that a person runs, which tests do not touch."""
PYTEST = (sys.executable, "-m", "pytest")
UNIT = "tests/unit"
"""What needs no services: it runs beside the rest, which waits for them much of its time."""
SELECTING = ("-k", "-m", "-n", "--lf", "--ff", "--pdb", "--collect")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Run pytest with the arguments given; beside a running `up`, which it does not touch.

    Where the arguments select no tests, those that need no services run in a process of their own, beside the others.
    """
    for name in [name for name in os.environ if name.startswith("TRADEWIND_") and name not in PASSED_ON]:
        del os.environ[name]
    sys.exit(run("pytest", *arguments) if _selects(arguments) else _whole(arguments))


def _selects(arguments: tuple[str, ...]) -> bool:
    """Whether arguments name tests."""
    return any(argument.startswith(SELECTING) or Path(argument.partition("::")[0]).exists() for argument in arguments)


def _whole(arguments: tuple[str, ...]) -> int:
    """Run the whole suite; return the first exit code that is not 0."""
    root = require_checkout()
    with tempfile.TemporaryFile("w+") as said:
        unit = subprocess.Popen(
            [*PYTEST, UNIT, "-o", "cache_dir=.pytest_cache/unit", *arguments], cwd=root, stdout=said, stderr=said
        )
        try:
            code = subprocess.run([*PYTEST, f"--ignore={UNIT}", *arguments], cwd=root, check=False).returncode
            unit_code = unit.wait()
        finally:
            unit.kill()
            unit.wait()
        said.seek(0)
        click.echo(said.read())
    return code or unit_code
