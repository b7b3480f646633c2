"""Services and processes, asked every few seconds through what lies above: `up` and the services know how."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tradewind.connectors.gateway.views.flow import everywhere
from tradewind.connectors.gateway.views.view import View
from tradewind.processors.health.states import State

EVERY_S: Final = 2.0
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the gateway asks of the layers above. Each may take some seconds, and is called in a thread."""

    services: Callable[[], Sequence[Mapping[str, Any]]]
    """Returns `name`, `healthy`, `version`, `detail` of each service."""
    processes: Callable[[], Sequence[Mapping[str, Any]]]
    """Returns `name`, `phase`, `ready`, `reasons`, `held`, `restoring` of each process; nothing where no `up` runs."""
    logs: Callable[[], Sequence[str]]
    """Returns the names of the logs of this machine."""
    log: Callable[[str, int], Mapping[str, Any]]
    """Returns `lines`, `bytes` and `whole` of the end of a log; may raise `OSError`."""


@dataclass(frozen=True, slots=True)
class SystemSeen:
    """One look at services and processes."""

    at_s: float
    services: tuple[Mapping[str, Any], ...]
    processes: tuple[Mapping[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `health/system` answers."""
        down = [one["name"] for one in self.services if not one["healthy"]]
        still = [one["name"] for one in self.processes if one["down"] or one["stands_still"]]
        return {
            "as_of": round(self.at_s, 3),
            "status": "down" if down else "degraded" if still else "up",
            "down": down,
            "stands_still": still,
            "services": list(self.services),
            "processes": list(self.processes),
        }


class SystemView(View):
    """Asks again and again."""

    def __init__(self, ports: Ports) -> None:
        super().__init__("the system")
        self._ports = ports
        self.last: SystemSeen | None = None

    def run(self) -> None:
        """Ask until closed."""
        while not self._closing.is_set():
            begun = time.monotonic()
            try:
                self.last = SystemSeen(time.time(), tuple(self._ports.services()), tuple(self._ports.processes()))
            except (OSError, ValueError, KeyError, RuntimeError) as error:  # shown as stale, and tried again
                log.warning("services and processes could not be asked: %s: %s", type(error).__name__, error)
            self._closing.wait(max(0.0, begun + EVERY_S - time.monotonic()))

    def intents(self) -> dict[tuple[str, str, int], State]:
        """Return what stands by intent: partitions that an agent holds, and groups that restore their state."""
        if self.last is None:
            return {}
        found: dict[tuple[str, str, int], State] = {}
        for process in self.last.processes:
            for held in process["held"]:
                found[held["group"], held["topic"], held["partition"]] = "HELD"
            for group in process["restoring"]:
                found[everywhere(group)] = "RESTORING"
        return found
