"""The embedded services, one in each file: a file that declares another one is all that it takes to add it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.infra.services.declaration import Service


@cache
def names() -> tuple[str, ...]:
    """Return the name of every service, and so of its folder in a data folder; imports none of them.

    Workers ask for the folders alone, and have no use for the clients and binaries of services.
    """
    return tuple(module.name for module in iter_modules(__path__))


@cache
def services() -> dict[str, type[Service]]:
    """Return every service by name, each behind those that it starts after, and else by name."""
    from tradewind.infra.services.declaration import Service  # noqa: PLC0415 - `names` needs none of what it imports

    for name in names():
        import_module(f"{__name__}.{name}")
    declared = {one.name: one for one in Service.__subclasses__() if one.__module__.startswith(__name__)}

    def depth(name: str) -> int:
        return max((1 + depth(other) for other in declared[name].after), default=0)

    return {name: declared[name] for name in sorted(declared, key=lambda name: (depth(name), name))}
