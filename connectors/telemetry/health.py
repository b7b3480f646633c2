"""Whether a process lives and is ready, and why not: named checks that are asked when somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

Check = Callable[[], Iterable[str]]
"""Returns what is wrong, in words; nothing where all is well. Called by other threads; answers at once."""
Details = Callable[[], Iterable[Mapping[str, object]]]
"""Returns further details for `/ready`, as JSON holds them. Called by other threads; answers at once."""


class Health:
    """The checks of one process."""

    def __init__(self) -> None:
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        self._details: dict[str, list[Details]] = {}

    def must_live(self, name: str, check: Check) -> None:
        """Add a check for `/live`: if it fails, a supervisor restarts the process."""
        self._live[name] = check

    def must_be_ready(self, name: str, check: Check) -> None:
        """Add a check for `/ready`: if it fails, the process does not do its work."""
        self._ready[name] = check

    def add_details(self, key: str, details: Details) -> None:
        """Add details to `/ready` under a key, which several may share."""
        self._details.setdefault(key, []).append(details)

    def details(self) -> dict[str, list[dict[str, object]]]:
        """Return the details beside readiness, by key, without the keys that have none."""
        found = {key: [dict(one) for ask in asked for one in ask()] for key, asked in list(self._details.items())}
        return {key: given for key, given in found.items() if given}

    def not_live(self) -> dict[str, list[str]]:
        """Return what is wrong by the names of checks; empty where the process lives."""
        return _wrong(self._live)

    def not_ready(self) -> dict[str, list[str]]:
        """Return what is wrong by the names of checks; empty where the process is ready."""
        return _wrong(self._live) | _wrong(self._ready)


def _wrong(checks: dict[str, Check]) -> dict[str, list[str]]:
    answers = {name: list(check()) for name, check in list(checks.items())}
    return {name: reasons for name, reasons in answers.items() if reasons}
