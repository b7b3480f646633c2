"""What `up` runs besides the services: which workers with which roles, and which feed."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from tradewind.connectors.cluster.identity import ACCEPT
from tradewind.connectors.timeseries.product import Kind
from tradewind.infra.services.ports import DEFAULT_BASE, Ports
from tradewind.infra.up.crew import Role
from tradewind.infra.up.environment import PREFIX
from tradewind.streams.agents import ENTRY_POINTS, AgentUnusable, processes

FEEDS, AGENTS, CALLERS, SINKS = range(4)
"""Ranks: what brings events in stops first, the gateway with it; what keeps them stops last. A caller publishes what
became of its calls."""
SIMULATOR, GATEWAY = "simulator", "gateway"
HISTORY_S = 15
SLOT_BYTES = 6


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person asked `up` for."""

    sources: tuple[str, ...] = ()
    """What to feed, as `tradewind feed` takes it: files, or names of feeds; the simulator where there are none."""
    speed: str | None = None
    """A factor or `max`, as `tradewind feed --speed` takes it; None is the feed's own default."""
    rate: int | None = None
    """Ticks per second of the simulator."""
    for_s: float | None = None
    """How long to run, seconds from when all is up; None: until SIGTERM or Ctrl-C."""
    base_port: int | None = None
    """First of the services' ports; None is the default."""
    accept_cluster: bool = False
    """Whether to go on with a Kafka that is not the known one."""
    timeseries: Kind = "questdb"
    """The time-series store that ticks, trades and bars are written to."""
    archive: bool = False
    """Whether every record is also written to Parquet files."""

    def roles(self, data: Path) -> tuple[Role, ...]:
        """Return every process to run for a data folder, in the order in which they start.

        Raises `AgentUnusable` for agents of other packages that cannot be run.
        """
        slot = slot_of(data)
        agents = (Role(name, ("worker", *roles, "--slot", slot), AGENTS) for name, roles in processes().items())
        stores = (self.timeseries, "postgres", *(("archive",) if self.archive else ()))
        sinks = (Role(f"sink-{store}", ("sink", store), SINKS) for store in stores)
        caller = Role("caller", ("caller", "ai"), CALLERS)
        all_ports = Ports(self.base_port or DEFAULT_BASE)
        gateway = Role(
            GATEWAY,
            ("gateway", "--link-file", str(link_file(data))),
            FEEDS,
            variables=((f"{PREFIX}GATEWAY__PORT", str(all_ports.gateway)),),
        )
        found = (*agents, caller, *sinks, self._feed(), gateway)
        ports = all_ports.metrics
        if len(found) > len(ports):
            raise AgentUnusable(
                f"`up` has ports for {len(ports)} processes, and there are {len(found)}: run some agents of your own "
                f"by `tradewind worker` instead, and take them out of the entry points {ENTRY_POINTS}"
            )
        return tuple(replace(role, metrics_port=ports[at]) for at, role in enumerate(found))

    def arguments(self) -> list[str]:
        """Return the arguments of `tradewind up` that ask for this plan."""
        options = {"--speed": self.speed, "--rate": self.rate, "--for": self.for_s, "--base-port": self.base_port}
        given = [(name, str(value)) for name, value in options.items() if value is not None]
        accepted = [ACCEPT] if self.accept_cluster else []
        return [
            *accepted,
            *(word for pair in (*given, *(("--feed", source) for source in self.sources)) for word in pair),
        ]

    def _feed(self) -> Role:
        speed = () if self.speed is None else ("--speed", self.speed)
        rate = () if self.rate is None else ("--rate", str(self.rate))
        sources = tuple(_absolute(source) for source in self.sources) or (SIMULATOR,)
        # A first look, be it on a Sunday, should show every instrument, and strategies need bars to begin with.
        shown = () if self.sources else ("--no-sessions", "--history", str(HISTORY_S))
        return Role("feed", ("feed", *speed, *rate, *shown, *sources), FEEDS, ends=True)


def link_file(data: Path) -> Path:
    """Return the file that the gateway writes a one-time link into; only its owner may read it."""
    return data.absolute() / "workers" / GATEWAY / "link"


def link_of(data: Path) -> str | None:
    """Return what to say of the gateway's link; None where it has not written one."""
    try:
        link = link_file(data).read_text().strip()
    except OSError:
        return None
    return f"pages: {link} (good once, within an hour; ./dev users link makes another)"


def slot_of(data: Path) -> str:
    """Return the slot of the workers of a data folder: the same after a crash, and no other folder's on any machine."""
    place = f"{platform.node()}:{data.absolute()}"
    return f"up-{blake2b(place.encode(), digest_size=SLOT_BYTES).hexdigest()}"


def _absolute(source: str) -> str:
    """Return a file's whole path, for the feed runs in a folder of its own; names of feeds stay."""
    return str(Path(source).absolute()) if Path(source).exists() else source
