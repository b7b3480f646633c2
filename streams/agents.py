"""Every agent by name, in the order in which events flow: who declares it, and which process of `up` runs it.

The agents of other packages come from the entry points `tradewind.agents`. Importing this module imports no agent, for
that takes a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.connectors.settings import Settings
    from tradewind.streams.runtime import Agent

ENTRY_POINTS = "tradewind.agents"
"""Group of the entry points that name agents of other packages. Each is an `Agent`, or a function of the settings that
returns one, under the agent's own name."""


class AgentUnusable(RuntimeError):
    """An entry point gives no agent; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Registered:
    """An agent that is known by name."""

    point: EntryPoint
    process: str
    """The process of `up` that runs it. Agents share one where a process of their own, some 120 MB, would idle."""
    ours: bool = True

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.point.name

    def declare(self, settings: Settings) -> Agent:
        """Return the agent; raises `AgentUnusable` where another package's entry point gives none of this name."""
        from tradewind.streams.runtime import Agent  # noqa: PLC0415 - it imports Faust

        if self.ours:
            ours: Agent = self.point.load()(settings)
            return ours
        where = f"entry point {self.name} of {ENTRY_POINTS} ({self.point.value})"
        try:
            found = self.point.load()
            declared = found if isinstance(found, Agent) else found(settings)
        except Exception as error:
            raise AgentUnusable(f"{where} fails: {type(error).__name__}: {error}. Repair or uninstall it") from error
        if not isinstance(declared, Agent) or declared.name != self.name:
            gives = f"the agent {declared.name}" if isinstance(declared, Agent) else f"a {type(declared).__name__}"
            raise AgentUnusable(f"{where} gives {gives}, not an agent called {self.name}. Repair or uninstall it")
        return declared


def _ours(name: str, home: str, process: str) -> Registered:
    return Registered(EntryPoint(name, f"tradewind.streams.{home}", ENTRY_POINTS), process)


OURS = (
    _ours("tenancy", "tenancy:tenancy", "decisions"),
    _ours("market", "market:market", "market"),
    _ours("signals", "signals:signals", "decisions"),
    _ours("sizing", "portfolio:sizing", "decisions"),
    _ours("risk", "risk:risk", "decisions"),
    _ours("execution", "execution:execution", "execution"),
    _ours("portfolio", "portfolio:portfolio", "execution"),
    _ours("ai", "ai:ai", "usage"),
    _ours("metering", "billing:metering", "usage"),
    _ours("rating", "billing:rating", "usage"),
)


def installed() -> tuple[Registered, ...]:
    """Return the agents of other packages, by name; each has a process of its own.

    Raises `AgentUnusable` where two have one name, or one has the name of an agent of ours.
    """
    points = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    names = [*(one.name for one in OURS), *(point.name for point in points)]
    for point in points:
        if names.count(point.name) > 1:
            raise AgentUnusable(
                f"entry point {point.name} of {ENTRY_POINTS} ({point.value}): there is another agent of this name. "
                "Rename or uninstall it"
            )
    return tuple(Registered(point, f"agent-{point.name}", ours=False) for point in points)


def agents() -> dict[str, Registered]:
    """Return every agent by name: ours in the order in which events flow, then those of other packages."""
    return {one.name: one for one in (*OURS, *installed())}


def processes() -> dict[str, tuple[str, ...]]:
    """Return the agents of each process of `up`, in the order in which they start."""
    found: dict[str, tuple[str, ...]] = {}
    for one in agents().values():
        found[one.process] = (*found.get(one.process, ()), one.name)
    return found
