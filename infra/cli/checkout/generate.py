"""`tradewind generate`: write the models again from the schemas."""

from __future__ import annotations

import sys

import click

from tradewind.infra.cli.checkout.tools import run


@click.command()
def generate() -> None:
    """Generate the models again from the .avsc files, in the project's format."""
    sys.exit(run("tradewind.schemas.generate"))
