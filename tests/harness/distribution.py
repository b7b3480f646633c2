"""Which worker process runs which tests.

A test of services goes to whichever worker is free. Tests that share something go to one worker, one after the other:

- those of a file of `tests/unit`: they are many and short, and share what the file has made once;
- those of a module with a fixture of the module's scope, which each worker would otherwise build anew;
- those that look at the played day, which is played once;
- those with a mark `xdist_group`. `own_services` is the group of all tests that start, kill or restart a stack of their
  own, and `own_brokers` that of tests with brokers of their own: at most one of each runs beside the shared stack.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

OWN_SERVICES, OWN_BROKERS = "own_services", "own_brokers"
own_services = pytest.mark.xdist_group(OWN_SERVICES)
"""The mark of a test, or of a module's tests, that has a stack of its own."""
own_brokers = pytest.mark.xdist_group(OWN_BROKERS)
"""The mark of one that has only brokers of its own."""
UNIT, FAULTS = "tests/unit/", "tests/faults/"
PLAYED_DAY = "played_day"
"""The fixture of that name; whoever asks for it is of the group of that name."""
GROUPS = "groups.json"


def group_of(item: pytest.Item) -> str | None:
    """Return the name of the tests that must run in one process with a test; None where it may run anywhere."""
    mark = item.get_closest_marker("xdist_group")
    if mark is not None:
        return str(mark.args[0] if mark.args else mark.kwargs["name"])
    file = item.nodeid.partition("::")[0]
    if PLAYED_DAY in getattr(item, "fixturenames", ()):
        return PLAYED_DAY
    found: Any = getattr(item, "_fixtureinfo", None)
    for name, definitions in {} if found is None else found.name2fixturedefs.items():
        if not name.startswith("_") and definitions[-1].scope in {"module", "class", "package"}:
            return file
    return file if file.startswith(UNIT) else None


def arrange(items: list[pytest.Item]) -> None:
    """Put the tests with a stack or brokers of their own first: they follow one another and would end last.

    Those in `tests/faults` start the most servers, and wait until the shared stack is up.
    """

    def place(item: pytest.Item) -> int:
        if group_of(item) not in {OWN_SERVICES, OWN_BROKERS}:
            return 2
        return 1 if item.nodeid.startswith(FAULTS) else 0

    items.sort(key=place)


def tell(items: list[pytest.Item], folder: Path, worker: str) -> None:
    """Write the groups for the process that distributes the tests, which does not collect them."""
    groups = {item.nodeid: group for item in items if (group := group_of(item)) is not None}
    written = folder / f"{GROUPS}.{worker}"
    written.write_text(json.dumps(groups))
    written.replace(folder / GROUPS)


class Distribution(LoadScopeScheduling):
    """Gives each test, or each group, to the worker that is free next, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any, folder: Path) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self._folder = folder
        self._groups: dict[str, str] | None = None

    def _split_scope(self, nodeid: str) -> str:
        if self._groups is None:
            self._groups = json.loads((self._folder / GROUPS).read_text())
        return self._groups.get(nodeid, nodeid)
