"""`tradewind check`: style, types, imports, and that generated code is what the schemas say."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

import click

from tradewind.infra.cli.checkout.tools import exit_with, keep_compiled, run, script

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("generated code", ("tradewind.schemas.generate", "--check")),
    ("mypy --strict", ("mypy",)),
)
"""What is checked -> the module that does, with its arguments. The strictness of mypy stands in pyproject.toml."""

COLLECT = ("pytest", "--collect-only", "-qq", "-m", "", "-o", "python_files=*.py")
"""Imports every module of `tests`, including programs that tests start, and runs no test."""


@click.command()
def check() -> None:
    """Check style, types, imports and generated code. Every check runs; if one fails, exit 1."""
    codes = [_timed(title, partial(run, *arguments)) for title, arguments in CHECKS]
    codes.append(_timed("import-linter", partial(run, script("lint-imports"), "--no-logo", module=False)))
    codes.append(_timed("tests can be imported", _collected))
    exit_with(codes)


def _collected() -> int:
    """Collect the tests. Print what pytest said only if it failed: it lists every file."""
    keep_compiled()
    with tempfile.TemporaryFile() as said:
        code = run(*COLLECT, output=said)
        if code:
            said.seek(0)
            shutil.copyfileobj(said, sys.stderr.buffer)
    return code


def _timed(title: str, checked: Callable[[], int]) -> int:
    click.echo(f"== {title}", err=True)
    start = time.perf_counter()
    code = checked()
    click.echo(f"   {'passed' if code == 0 else 'FAILED'} in {time.perf_counter() - start:.1f} s", err=True)
    return code
