"""Whether a process lives and is ready, and why not: named checks that are asked when somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Check = Callable[[], Iterable[str]]
"""Returns what is wrong, in words; nothing where all is well. Called by other threads; answers at once."""


class Health:
    """The checks of one process."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def must_live(self, name: str, check: Check) -> None:
        """Add a check of whether the process can still do anything: a supervisor restarts one that cannot."""
        self._live[name] = check

    def must_be_ready(self, name: str, check: Check) -> None:
        """Add a check of whether the process does its work."""
        self._ready[name] = check

    def not_live(self) -> dict[str, list[str]]:
        """Return what is wrong by the names of checks; empty where the process lives."""
        return _wrong(self._live)

    def not_ready(self) -> dict[str, list[str]]:
        """Return what is wrong by the names of checks; empty where the process is ready."""
        return _wrong(self._live) | _wrong(self._ready)


def _wrong(checks: dict[str, Check]) -> dict[str, list[str]]:
    answers = {name: list(check()) for name, check in list(checks.items())}
    return {name: reasons for name, reasons in answers.items() if reasons}
