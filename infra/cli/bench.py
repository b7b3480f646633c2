"""`tradewind bench`: one of the benches of `tradewind.infra.bench`."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules

import click

import tradewind.infra.bench as benches


def names() -> list[str]:
    """Return the names of the benches: the modules of the package that are programs."""
    return sorted(found.name for found in iter_modules(benches.__path__) if not found.ispkg)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Run the bench NAME with its own arguments, such as --json; without a name, list them."""
    if name is None:
        click.echo("\n".join(names()))
        return
    if name not in names():
        raise click.UsageError(f"there is no bench {name!r}; there are: {', '.join(names())}")
    sys.exit(import_module(f"tradewind.infra.bench.{name}").main(list(arguments)))
