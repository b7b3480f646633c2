"""The whole trading path in memory: every agent of ours, joined by topics as on Kafka."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from tradewind.connectors.ai.prompt_files import prompts
from tradewind.processors.ai.processor import ai
from tradewind.processors.ai.recording import Recording
from tradewind.processors.batch import Columns, Segment, part
from tradewind.processors.execution.costly_venue import CostlyVenue
from tradewind.processors.execution.costs import Costs
from tradewind.processors.execution.processor import execution as venue
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.processors.market.processor import GRACE_US, bars
from tradewind.processors.portfolio.sizing import sizing
from tradewind.processors.risk.processor import risk
from tradewind.processors.signals.built_in import BUILT_IN
from tradewind.processors.signals.deployments import Catalogue
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.processor import signals
from tradewind.processors.signals.questions import Asker
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, News, Tick
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.runtime import DeadLetter
from tradewind.streams.agents import OURS
from tradewind.streams.runtime.agent import Hold
from tradewind.testing.agent import MemoryAgent
from tradewind.testing.answers import RecordedAnswers
from tradewind.testing.broker import MemoryBroker
from tradewind.testing.segments import rows
from tradewind.topics import DECISIONS, KILL_SWITCHES, NEWS, ORDER_REQUESTS, TENANT_COMMANDS, TICKS

E = TypeVar("E", bound=Event)

SEGMENT_RECORDS = 4_096  # about one fetch of ticks
FIRST_US = 1  # of the commands that create the tenants: before any tick
LATENCY_US = 50_000  # as the settings have it
TURNS = ("market", "portfolio", "signals", "sizing", "risk", "execution", "risk", "portfolio")
"""Who runs on a batch of ticks: portfolio sees bars before the fills that they lead to, risk the orders after those."""

COMMANDED = ("risk", "execution", "risk")
"""Who runs on a command: risk hears of the orders that it ends at the venue."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the agents of a pipeline sent, in order."""

    events: list[Event]
    dead_letters: list[DeadLetter]
    """The dead letters of all agents since the pipeline began."""

    def of(self, model: type[E]) -> list[E]:
        """Return the events of one model, in order."""
        return [event for event in self.events if type(event) is model]


class Pipeline:
    """Every agent of the trading path, on one broker in memory.

    Each call of `feed` is one batch of every agent. Order events reach risk after the requests of the same batch, as in
    a replay at full speed.
    """

    def __init__(
        self,
        strategies: Iterable[Strategy] | None = None,
        tenants: Iterable[Tenant] = DEFAULT_TENANTS,
        grace_us: int = GRACE_US,
        latency_us: int = LATENCY_US,
        segment_records: int = SEGMENT_RECORDS,
        *,
        instruments: Mapping[str, Instrument] = INSTRUMENTS,
        costs: Costs | None = None,
        recording: Recording | None = None,
        asker: Asker | None = None,
    ) -> None:
        """Start all agents.

        With a `recording`, strategies get its answers, each when event time has reached the end of its call. For that,
        `run` feeds one tick at a time. A question that is not recorded raises `NotRecorded`. Without one, nobody
        answers. `asker` says as whom strategies ask, and by which prompts; those of the settings without it. `costs`
        are the venue's.
        """
        self.broker = MemoryBroker()
        declared = {one.name: one.declare(self.broker.settings) for one in OURS}
        asked = BUILT_IN if strategies is None else strategies
        known = Asker(prompts=prompts(self.broker.settings))
        by = known.prompts if asker is None else asker.prompts
        declared["ai"] = replace(declared["ai"], processor=ai(by))
        declared["market"] = replace(declared["market"], processor=bars(grace_us=grace_us))
        known_by_name = by_name(asked)
        catalogue = Catalogue(known_by_name, instruments)
        declared["tenancy"] = replace(declared["tenancy"], processor=tenancy(catalogue))
        declared["signals"] = replace(declared["signals"], processor=signals(known_by_name.values(), asker or known))
        declared["sizing"] = replace(declared["sizing"], processor=sizing(instruments))
        declared["risk"] = replace(declared["risk"], processor=risk(instruments))
        fills = CostlyVenue(costs or Costs(), instruments)
        hold = Hold(TICKS, DECISIONS, latency_us, through=ORDER_REQUESTS)
        declared["execution"] = replace(declared["execution"], processor=venue(latency_us, fills), hold=hold)
        self.agents = {name: MemoryAgent(agent, self.broker) for name, agent in declared.items()}
        """Each agent by its name: its state, its dead letters, its positions."""
        self._segment_records = segment_records if recording is None else 1
        self.broker.publish(TENANT_COMMANDS, *commands_of(tenants, FIRST_US, known_by_name))
        self.agents["tenancy"].run()
        ai_agent = self.agents["ai"]
        self._answers = None if recording is None else RecordedAnswers(ai_agent, self.broker, recording)

    def command(self, switch: KillSwitch) -> list[Event]:
        """Publish a kill switch, which is in force for all later records; return what agents sent, such as cancels."""
        self.broker.publish(KILL_SWITCHES, switch)
        return [event for name in COMMANDED for event in self.agents[name].run()]

    def run(self, ticks: Iterable[Tick | Heartbeat] | Columns) -> Outcome:
        """Feed ticks, then a closing heartbeat for each instrument; return everything that agents sent."""
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
        """Feed ticks or heartbeats; return what every agent sent, including heartbeats and late ticks."""
        sent: list[Event] = []
        if self._answers is not None and (told := self._answers.tell(max(at for *_, at in _coordinates(segment)))):
            sent = told + [event for name in TURNS for event in self.agents[name].run()]
        self.broker.publish_segment(TICKS, segment)
        sent += [event for name in TURNS for event in self.agents[name].run()]
        return sent if self._answers is None else sent + self._answers.ask()

    def hear(self, *news: News) -> list[Event]:
        """Publish news; return what every agent sent."""
        self.broker.publish(NEWS, *news)
        sent = [event for name in TURNS for event in self.agents[name].run()]
        return sent if self._answers is None else sent + self._answers.ask()


def _coordinates(segment: Segment) -> Iterator[tuple[str, str, int]]:
    """Yield (symbol, venue, ts_event) of each record."""
    if isinstance(segment, Columns):
        yield from segment.frame.select("symbol", "venue", "ts_event").iter_rows()
        return
    for event in segment.events:
        record = event.to_dict()
        yield record["symbol"], record["venue"], record["ts_event"]
