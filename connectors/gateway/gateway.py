"""What one process of the gateway holds: views, hub, tokens, store."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from tradewind.connectors.billing.door import Door
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.ai.asker import Asker, make_asker
from tradewind.connectors.gateway.auth.passwords import Passwords
from tradewind.connectors.gateway.auth.people import People
from tradewind.connectors.gateway.auth.second_factor import SecondFactors
from tradewind.connectors.gateway.auth.signing_in import SigningIn
from tradewind.connectors.gateway.auth.store import Store
from tradewind.connectors.gateway.auth.tokens import ACCESS_S, Tokens, secret_of
from tradewind.connectors.gateway.commands.audit import AuditLog
from tradewind.connectors.gateway.commands.decided import Decided
from tradewind.connectors.gateway.commands.frame import Commands
from tradewind.connectors.gateway.commands.ledger import Ledger
from tradewind.connectors.gateway.commands.stop import EmergencyStop
from tradewind.connectors.gateway.commands.writer import Writer
from tradewind.connectors.gateway.commands.written import Written
from tradewind.connectors.gateway.cursors import Cursors
from tradewind.connectors.gateway.letters import Letters, Owners
from tradewind.connectors.gateway.limits import Limits, limits_of
from tradewind.connectors.gateway.messages import Messages
from tradewind.connectors.gateway.picture import picture_of
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.stream.connection import Connections
from tradewind.connectors.gateway.stream.events import Events
from tradewind.connectors.gateway.stream.feed import EventChannel, Feed, Line, Offsets
from tradewind.connectors.gateway.stream.hub import Hub, Key
from tradewind.connectors.gateway.traces import Traces
from tradewind.connectors.gateway.views.alerts import AlertsView
from tradewind.connectors.gateway.views.events import TOPICS, EventsView
from tradewind.connectors.gateway.views.flow import FlowSeen, FlowView
from tradewind.connectors.gateway.views.inventory import InventoryView
from tradewind.connectors.gateway.views.jobs import Command, Jobs
from tradewind.connectors.gateway.views.market import Follower, followers
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.gateway.views.system import Ports, SystemView
from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.gateway.wire import encoded, event_for_wire
from tradewind.connectors.health.names import Known
from tradewind.connectors.settings import Settings
from tradewind.processors.market.instruments import INSTRUMENTS, Instrument
from tradewind.schemas.codec import Codec
from tradewind.topics import DOMAIN_TOPICS, Topic

ENDED_EVERY_S: Final = 0.5
"""How soon a session that ended elsewhere ends here: within a second, with the question."""
AUDITS_EVERY_S: Final = 1.0
DOOR: Final = "gateway"
"""What the usage that it counts comes from."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the layers above know of this installation."""

    known: Known
    order: tuple[str, ...]
    """Names of agents, as events pass them."""
    left_out: frozenset[str]
    """Readers that do not run here, such as the sink of another time-series store."""
    ports: Ports
    owners: Owners
    """Who has dead letters."""
    command: Command
    """How a command of `tradewind` is run."""
    without_journal: frozenset[str] = frozenset()
    """Names of `order` that are no agents."""
    own: tuple[Topic, ...] = ()
    """Topics of other packages."""

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic that is declared for people to read."""
        return (*DOMAIN_TOPICS, *self.own)


@dataclass(slots=True)
class Gateway:
    """One process of the gateway; made and used on its event loop, but for the threads of its views."""

    settings: Settings
    tokens: Tokens
    store: Store
    signing_in: SigningIn
    people: People
    audits: AuditLog
    hub: Hub
    connections: Connections
    declared: Declared
    flow: FlowView
    inventory: InventoryView
    system: SystemView
    alerts: AlertsView
    market: tuple[Follower, ...]
    events: tuple[EventsView, ...]
    picture: dict[str, Any]
    reads: Reads
    messages: Messages
    letters: Letters
    cursors: Cursors
    asker: Asker
    commands: Commands
    stop: EmergencyStop
    usage: Door
    traces: Traces
    limits: Limits
    instruments: Mapping[str, Instrument]
    written: Written
    decided: Decided
    jobs: Jobs
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    open: ExitStack = field(default_factory=ExitStack)
    """What sends its rest at the end."""

    @property
    def views(self) -> tuple[View, ...]:
        """The threads that look."""
        return self.flow, self.inventory, self.system, self.alerts, *self.market, *self.events, *self.asker.views

    def start(self) -> None:
        """Start the views, and look for sessions that have ended elsewhere."""
        for thread in self.views:
            thread.start()
        self.open.enter_context(self.usage)
        loop = asyncio.get_running_loop()
        self.tasks.add(loop.create_task(self._watch_sessions(), name="watch of sessions"))
        self.tasks.add(loop.create_task(self._send_audits(), name="sender of audit events"))

    def dead_views(self) -> list[str]:
        """Return the views whose threads have ended by a bug: the log has it. For any thread."""
        dead = [one.name for one in self.views if not one.is_alive()]
        dead += [task.get_name() for task in self.tasks if task.done() and not task.cancelled() and task.exception()]
        return [f"the {name} has ended because of a bug: see the log" for name in dead]

    async def close(self) -> None:
        """Stop all of it."""
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(asyncio.to_thread(view.close) for view in self.views))
        await self.asker.close()
        await self.jobs.close()
        await asyncio.to_thread(self.open.close)
        self.signing_in.close()
        await self.store.close()
        await self.reads.close()
        await self.commands.close()
        await self.limits.close()

    async def _watch_sessions(self) -> None:
        """Refuse the tokens of sessions and the keys that end, here and on the connections that are open."""
        away = False
        while True:
            try:
                for session_id in await self.store.ended_within(ACCESS_S + 60):
                    self.tokens.end(session_id)
                self.tokens.machines.take(await self.store.living_keys())
                away = False
            except Problem as problem:
                if not away:
                    log.warning("no look at sessions that have ended, until PostgreSQL is back: %s", problem)
                away = True
            self.connections.check()
            await asyncio.sleep(ENDED_EVERY_S)

    async def _send_audits(self) -> None:
        """Send the audit events of logins and users that wait in PostgreSQL, whichever process has kept them."""
        away = False
        while True:
            try:
                while await self.store.send_audits(lambda event: asyncio.to_thread(self.audits.write, event)):
                    pass
                away = False
            except Problem as problem:
                if not away:
                    log.warning("audit events of logins wait in PostgreSQL: %s", problem)
                away = True
            await asyncio.sleep(AUDITS_EVERY_S)


def make_gateway(settings: Settings, codec: Codec, declared: Declared) -> Gateway:
    """Return a gateway that is not started; to be called on its event loop."""
    loop = asyncio.get_running_loop()
    hub, usage, reads = Hub(), Door.opened(DOOR, settings, codec), Reads(settings)

    def put_all(cells: dict[Key, bytes]) -> None:
        for key, data in cells.items():
            hub.put(key, data)

    def put(cells: dict[Key, bytes]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            loop.call_soon_threadsafe(put_all, cells)

    def put_flow(seen: FlowSeen) -> None:
        put({("flow", ""): encoded(seen.to_json())})

    def event_view(channel: EventChannel, feed: Feed) -> EventsView:
        def began(offsets: Offsets, topic_id: str) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(feed.start, dict(offsets), topic_id)

        def add(lines: Sequence[Line]) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(feed.add, lines)

        return EventsView(settings, codec, TOPICS[channel], began, add)

    secret = secret_of(settings.data)
    cursors = Cursors(hashlib.sha256(b"tradewind cursors 1" + secret).digest())
    feeds: dict[EventChannel, Feed] = {
        channel: Feed(lambda value: encoded(event_for_wire(codec.decode(value)))) for channel in TOPICS
    }
    events = Events(feeds, reads.standing, cursors)
    tokens = Tokens(secret, settings.physical("tradewind"), time.time)
    system = SystemView(declared.ports)
    store, audits = Store(settings), AuditLog(settings, codec)
    return Gateway(
        settings=settings,
        tokens=tokens,
        store=store,
        signing_in=SigningIn(store, Passwords(), SecondFactors.of(secret, time.time)),
        people=People(store),
        audits=audits,
        hub=hub,
        connections=Connections(hub, events, tokens.verify, time.time, usage.tally.streaming),
        declared=declared,
        flow=FlowView(settings, declared.known, put_flow, system.intents),
        inventory=InventoryView(settings, declared.known),
        system=system,
        alerts=AlertsView(settings, codec),
        market=followers(settings, codec, put),
        events=tuple(event_view(channel, feed) for channel, feed in feeds.items()),
        picture=picture_of(declared.topics, declared.order, declared.left_out),
        reads=reads,
        messages=Messages(settings, codec, declared.known.topics, declared.topics),
        letters=Letters.of(settings, codec, declared.owners),
        cursors=cursors,
        asker=make_asker(settings, codec),
        commands=Commands(Ledger(settings, clock_us), Writer(settings, codec), audits),
        stop=EmergencyStop.on(settings, codec),
        usage=usage,
        traces=Traces(settings, codec, reads),
        limits=limits_of(settings, lambda: time.monotonic_ns() // 1_000),
        instruments={**INSTRUMENTS, **settings.instruments},
        written=Written(settings, codec),
        decided=Decided(reads),
        jobs=Jobs(declared.command),
    )
