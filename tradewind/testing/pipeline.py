"""The whole trading path in memory: every agent of ours, joined by topics as on Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from tradewind.processors.batch import Columns, Segment, part
from tradewind.processors.execution.venue import execution as venue
from tradewind.processors.market.bars import GRACE_US, bars
from tradewind.processors.portfolio.sizing import sizing
from tradewind.processors.risk.agent import risk
from tradewind.processors.signals.agent import signals
from tradewind.processors.signals.ema import BUILT_IN
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.agents import AGENTS
from tradewind.streams.runtime.agent import Hold
from tradewind.testing.agent import MemoryAgent
from tradewind.testing.broker import MemoryBroker
from tradewind.testing.segments import rows
from tradewind.topics import DECISIONS, KILL_SWITCHES, TICKS

E = TypeVar("E", bound=Event)

SEGMENT_RECORDS = 4_096  # about one fetch of ticks
LATENCY_US = 50_000  # as the settings have it
TURNS = ("market", "portfolio", "signals", "sizing", "risk", "execution", "risk", "portfolio")
"""Who runs on a batch of ticks: portfolio sees bars before the fills that they lead to, risk the orders after those."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pipeline sent, in the order of its agents."""

    events: list[Event]
    dead_letters: list[DeadLetter]
    """Of all agents, since the pipeline began."""

    def of(self, model: type[E]) -> list[E]:
        """Return the events of one model, in order."""
        return [event for event in self.events if type(event) is model]


class Pipeline:
    """Every agent of the trading path on one broker in memory.

    Each call of `feed` is one batch of every agent: order events reach risk after the requests of the same batch, as
    they do when ticks are replayed at full speed.
    """

    def __init__(
        self,
        strategies: Iterable[Strategy] | None = None,
        tenants: Iterable[Tenant] = DEFAULT_TENANTS,
        grace_us: int = GRACE_US,
        latency_us: int = LATENCY_US,
        segment_records: int = SEGMENT_RECORDS,
    ) -> None:
        known = tuple(tenants)
        self.broker = MemoryBroker()
        declared = {name: declare(self.broker.settings) for name, declare in AGENTS.items()}
        asked = BUILT_IN if strategies is None else strategies
        declared["market"] = replace(declared["market"], processor=bars(grace_us=grace_us))
        declared["signals"] = replace(declared["signals"], processor=signals(asked))
        declared["sizing"] = replace(declared["sizing"], processor=sizing(known))
        declared["risk"] = replace(declared["risk"], processor=risk(known))
        hold = Hold(TICKS, DECISIONS, latency_us)
        declared["execution"] = replace(declared["execution"], processor=venue(latency_us), hold=hold)
        self.agents = {name: MemoryAgent(agent, self.broker) for name, agent in declared.items()}
        """Each agent by its name: its state, its dead letters, its positions."""
        self._segment_records = segment_records

    def command(self, switch: KillSwitch) -> None:
        """Give risk a command; it holds for all requests that follow."""
        self.broker.publish(KILL_SWITCHES, switch)
        self.agents["risk"].run()

    def run(self, ticks: Iterable[Tick | Heartbeat] | Columns) -> Outcome:
        """Feed ticks, then the closing heartbeat of each instrument; return all that was sent."""
        segments = [ticks] if isinstance(ticks, Columns) else list(rows(ticks, TICKS.name))
        ends: dict[tuple[str, str], int] = {}
        sent: list[Event] = []
        for segment in segments:
            for symbol, name, ts_event in _coordinates(segment):
                ends[symbol, name] = max(ts_event, ends.get((symbol, name), ts_event))
            for start in range(0, len(segment), self._segment_records):
                sent += self.feed(part(segment, start, min(start + self._segment_records, len(segment))))
        closing = [
            Heartbeat(symbol=symbol, venue=name, ts_event=ts_event, ts_ingest=ts_event, closing=True)
            for (symbol, name), ts_event in sorted(ends.items())
        ]
        sent += [event for segment in rows(closing, TICKS.name) for event in self.feed(segment)]
        return Outcome(sent, [letter for agent in self.agents.values() for letter in agent.dead_letters()])

    def feed(self, segment: Segment) -> list[Event]:
        """Take ticks or heartbeats; return what every agent sent, heartbeats and late ticks among it."""
        self.broker.publish_segment(TICKS, segment)
        return [event for name in TURNS for event in self.agents[name].run()]


def _coordinates(segment: Segment) -> Iterator[tuple[str, str, int]]:
    """Yield (symbol, venue, ts_event) of each record."""
    if isinstance(segment, Columns):
        yield from segment.frame.select("symbol", "venue", "ts_event").iter_rows()
        return
    for event in segment.events:
        record = event.to_dict()
        yield record["symbol"], record["venue"], record["ts_event"]
