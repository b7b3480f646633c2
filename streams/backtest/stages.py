"""The processors of the agents, each with a state of its own, without topics and codec."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Output, PoisonRecord, Processor, Rows, Segment, events_of
from tradewind.processors.market.candles import SECOND_US
from tradewind.processors.market.processor import bars
from tradewind.processors.portfolio.processor import MARK_INTERVAL_S, portfolio
from tradewind.processors.risk.limits import across, limits_of
from tradewind.processors.signals.deployments import Catalogue
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import Tenant
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.signals import Deployment, DeploymentRefused
from tradewind.schemas.tenancy import Seeded, TenantRefused
from tradewind.schemas.tenancy import Tenant as TenantChange
from tradewind.streams.agents import OURS
from tradewind.streams.backtest.errors import Refused
from tradewind.streams.backtest.state import BacktestState
from tradewind.topics import DEPLOYMENT_CHANGES, TENANT_CHANGES, TENANT_COMMANDS

NO_OFFSETS = np.zeros(1, np.int64)
NO_OFFSETS.flags.writeable = False
"""Records that are on no topic have none."""

DECLARED = frozenset({"sizing", "risk", "execution"})
"""Agents whose processors depend on the settings alone."""
FIRST_US = 1  # of the commands that create the tenant: before any quote


@dataclass(slots=True)
class Stage:
    """One agent: its processor and its state."""

    name: str
    processor: Processor
    state: BacktestState = field(default_factory=BacktestState)

    def run(self, segment: Segment) -> Sequence[Output]:
        """Return what the agent makes of a segment. Raises `Refused` for a record that would be a dead letter."""
        try:
            return self.processor(self.state, segment)
        except PoisonRecord as poison:
            raise Refused(f"the agent {self.name} refuses a record of {segment.topic}: {poison.reason}") from poison

    def events(self, topic: str, events: Iterable[Event]) -> list[Event]:
        """Return what the agent makes of events, one segment for each run of a model."""
        made: list[Event] = []
        for segment in rows(topic, events):
            made += events_of(self.run(segment))
        return made

    def event(self, topic: str, event: Event) -> list[Event]:
        """Return what the agent makes of one event."""
        return events_of(self.run(row(topic, event)))


@dataclass(frozen=True, slots=True)
class Stages:
    """The agents of the trading path."""

    market: Stage
    signals: Stage
    sizing: Stage
    risk: Stage
    execution: Stage
    portfolio: Stage
    grace_us: int
    leap_us: int
    """The market agent's."""
    interval_s: int
    """Of the strategy's bars."""
    latency_us: int
    """The venue's."""


def stages(settings: Settings, strategy: Strategy, tenant: Tenant) -> Stages:
    """Return the agents, which know one tenant, and one deployment of the strategy in each of its accounts.

    The market agent makes only the bars that somebody reads: the strategy's, and those that value positions. Raises
    `Refused` where the tenant or the strategy would be refused.
    """
    declared = {one.name: one.declare(settings).processor for one in OURS if one.name in DECLARED}
    grace_us, leap_us = settings.bar_grace_ms * US_PER_MS, settings.tick_leap_s * SECOND_US
    # Nobody waits for promises here; they only end the questions of a strategy that takes answers.
    beats = type(strategy).on_answer is not Strategy.on_answer
    market = bars((strategy.interval_s, MARK_INTERVAL_S), grace_us, leap_us, beats=beats)
    known = by_name([strategy])
    commands = Stage("tenancy", tenancy(Catalogue(known, ())))
    changes = commands.events(TENANT_COMMANDS.name, commands_of([tenant], FIRST_US, known))
    for change in changes:
        if isinstance(change, TenantRefused | DeploymentRefused):
            raise Refused("; ".join(str(reason["text"]) for reason in change.reasons))
    adds_up = any(across(limits_of(one)) for one in changes if isinstance(one, TenantChange))
    made = Stages(
        Stage("market", market),
        Stage("signals", signals_processor([strategy], beats=beats)),
        Stage("sizing", declared["sizing"]),
        Stage("risk", declared["risk"]),
        Stage("execution", declared["execution"]),
        Stage("portfolio", portfolio(shares=False, marks=adds_up)),  # an account has one deployment
        grace_us,
        leap_us,
        strategy.interval_s,
        settings.venue_latency_ms * US_PER_MS,
    )
    for stage in (made.sizing, made.risk):
        stage.events(TENANT_CHANGES.name, (one for one in changes if isinstance(one, TenantChange | Seeded)))
    made.signals.events(DEPLOYMENT_CHANGES.name, (one for one in changes if isinstance(one, Deployment | Seeded)))
    return made


def rows(topic: str, events: Iterable[Event]) -> Iterator[Rows]:
    """Yield events as segments, one for each unbroken run of a model."""
    for _, run_of in groupby(events, type):
        run = list(run_of)
        stamps = np.array([ingested(event) for event in run], np.int64)
        yield Rows(topic, 0, run, np.zeros(len(run), np.int64), stamps)


def row(topic: str, event: Event) -> Rows:
    """Return one event as a segment."""
    return Rows(topic, 0, (event,), NO_OFFSETS, np.array((ingested(event),), np.int64))


def ingested(event: Event) -> int:
    """Return the timestamp that the record of an event would have, µs: whole milliseconds of its `ts_ingest`."""
    return int(event.ts_ingest) // US_PER_MS * US_PER_MS  # type: ignore[attr-defined]  # all of the path carry it
