"""`tradewind bench`: one of the benches of `tradewind.infra.bench`, which only a checkout has."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

import click

from tradewind.infra.services.guard import guarded

PACKAGE = "tradewind.infra.bench"


def names() -> list[str]:
    """Return the names of the benches: the modules of the package that are programs.

    Raises `click.ClickException` where Tradewind was installed from a wheel, which has no benches.
    """
    if find_spec(PACKAGE) is None:
        raise click.ClickException("an installed package has no benches: run this from a checkout, with ./dev")
    return sorted(found.name for found in iter_modules(import_module(PACKAGE).__path__) if not found.ispkg)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Run the bench NAME with its own arguments, such as --json. Without NAME, list the benches."""
    if name is None:
        click.echo("\n".join(names()))
        return
    if name not in names():
        raise click.UsageError(f"there is no bench {name!r}; there are: {', '.join(names())}")
    with guarded():
        code = import_module(f"{PACKAGE}.{name}").main(list(arguments))
    sys.exit(code)
