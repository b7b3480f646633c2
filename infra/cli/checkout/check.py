"""`tradewind check`: style, types, the direction of imports, and that generated code is what the schemas say."""

from __future__ import annotations

import time

import click

from tradewind.infra.cli.checkout.tools import exit_with, run, script

CHECKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ruff check", ("ruff", "check", ".")),
    ("ruff format", ("ruff", "format", "--check", ".")),
    ("generated code", ("tradewind.schemas.generate", "--check")),
    ("mypy --strict", ("mypy",)),
)
"""What is checked -> the module that does, with its arguments. The strictness of mypy stands in pyproject.toml."""


@click.command()
def check() -> None:
    """Check style, types, imports and generated code. Every check runs; if one fails, exit 1."""
    codes = [_timed(title, *arguments) for title, arguments in CHECKS]
    codes.append(_timed("import-linter", script("lint-imports"), "--no-logo", module=False))
    exit_with(codes)


def _timed(title: str, *arguments: str, module: bool = True) -> int:
    click.echo(f"== {title}", err=True)
    start = time.perf_counter()
    code = run(*arguments, module=module)
    click.echo(f"   {'passed' if code == 0 else 'FAILED'} in {time.perf_counter() - start:.1f} s", err=True)
    return code
