"""`tradewind generate`: write the models again from the schemas."""

from __future__ import annotations

import sys

import click

from tradewind.infra.cli.checkout import run


@click.command()
def generate() -> None:
    """Write the generated code again, in the project's format."""
    sys.exit(run("tradewind.schemas.generate"))
