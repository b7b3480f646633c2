"""Runs the tools of a checkout: where it stands, and one program after the other in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import click

import tradewind
from tradewind.infra.services import guard

ROOT = Path(tradewind.__file__).resolve().parents[1]
"""The checkout; where Tradewind was installed from a wheel, the folder of packages."""


def require_checkout() -> Path:
    """Return the checkout; raises `click.ClickException` where this is an installed package."""
    if not (ROOT / "pyproject.toml").is_file():
        raise click.ClickException(f"{ROOT} is an installed package: run this from a checkout, with ./dev")
    return ROOT


def run(*arguments: str, module: bool = True, output: IO[bytes] | None = None) -> int:
    """Run a Python module (or a program of the environment) in the checkout; return its exit code.

    What the program prints goes to the terminal, or to `output`.
    """
    root = require_checkout()
    program = [sys.executable, "-m"] if module else []
    return guard.run([*program, *arguments], cwd=root, stdout=output, stderr=output)


def keep_compiled() -> None:
    """Let Python keep what it compiles. Otherwise each process of the suite compiles all tests again, for 7 s."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def script(name: str) -> str:
    """Return the path of a program of this environment that has no module to run."""
    return str(Path(sys.executable).parent / name)


def exit_with(codes: Sequence[int]) -> None:
    """End the command: 0 where all is well, else the first code that is not."""
    sys.exit(next((code for code in codes if code), 0))
