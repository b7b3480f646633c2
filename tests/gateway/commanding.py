"""Commands in memory: keys, a topic and audit events that several processes share, and faults that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tradewind.connectors.cluster.switch_store import Switches
from tradewind.connectors.cluster.switches import OnTopic, current
from tradewind.connectors.gateway.commands.asked import Answer, Asked, Caller
from tradewind.connectors.gateway.commands.audit import refused
from tradewind.connectors.gateway.commands.frame import Commands
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Decide
from tradewind.connectors.gateway.commands.stop import EmergencyStop
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.event import Event
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.risk import KillSwitch
from tradewind.schemas.tenancy import AuditEvent
from tradewind.topics import Topic

ACCOUNTS: Final = {"alpha": ("main", "hedge"), "beta": ("main",)}
NOW_US: Final = 1_767_000_000_000_000


@dataclass
class Stores:
    """What all processes share."""

    rows: dict[str, tuple[Asked, int]] = field(default_factory=dict)
    """Id of a command -> what was asked first, and when, µs."""
    answers: dict[str, Answer] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    """What Kafka has, in its order."""
    kept: list[KillSwitch] = field(default_factory=list)

    def of(self, kind: type[Event]) -> list[Any]:
        """Return the events of a model."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def switches(self) -> list[KillSwitch]:
        """The kill switches that were written."""
        return self.of(KillSwitch)

    @property
    def audited(self) -> list[AuditEvent]:
        """The audit events that were written."""
        return self.of(AuditEvent)


@dataclass
class KeysInMemory:
    """Keeps keys as the ledger does."""

    stores: Stores

    @asynccontextmanager
    async def held(self, asked: Asked) -> AsyncIterator[Begun]:
        """Let a command be carried out."""
        first = asked.id not in self.stores.rows
        known, at_us = self.stores.rows.setdefault(asked.id, (asked, NOW_US + len(self.stores.rows)))
        if known.digest != asked.digest:
            raise Problem(422, "KEY_REUSED", "of another body", "use a new key", pointer="header: Idempotency-Key")
        begun = Begun(asked, at_us, again=not first, answer=self.stores.answers.get(asked.id))
        try:
            yield begun
        finally:
            if begun.forgotten:
                del self.stores.rows[asked.id]
            elif begun.fresh is not None:
                self.stores.answers[asked.id] = begun.fresh

    async def close(self) -> None:
        """Do nothing."""


@dataclass
class WritesInMemory:
    """Writes as Kafka does, with the faults that a test gives: each is raised before or after the records are there."""

    stores: Stores
    before: list[BaseException | None] = field(default_factory=list)
    after: list[BaseException | None] = field(default_factory=list)
    held: threading.Event | None = None
    """Written once it is set."""

    def carried(self, begun: Begun, decide: Decide) -> Answer:
        """Decide and write."""
        if self.held is not None:
            self.held.wait(30)
        _fail(self.before)
        made = decide(begun)
        for topic, event in made.records:
            assert isinstance(event, topic.models)
            assert flaw_of(event) is None
        self.stores.events += [event for _, event in made.records]
        _fail(self.after)
        if made.after is not None:
            made.after()
        return made.answer


@dataclass
class AuditsInMemory:
    """Writes refusals as the log does; with `away`, Kafka takes none."""

    stores: Stores
    away: bool = False

    def refused(self, caller: Caller, problem: Problem) -> None:
        """Write that a command was refused."""
        if self.away:
            raise Problem(503, "KAFKA_AWAY", "not written", "try again")
        event = refused(caller, problem)
        assert flaw_of(event) is None
        self.stores.events.append(event)

    def close(self) -> None:
        """Do nothing."""


def commands_in_memory(stores: Stores, writes: WritesInMemory | None = None, carry_s: float = 10.0) -> Commands:
    """Return the commands of a process."""
    return Commands(KeysInMemory(stores), writes or WritesInMemory(stores), AuditsInMemory(stores), carry_s)


def stop_in_memory(stores: Stores) -> EmergencyStop:
    """Return the emergency stop over what the stores have."""

    def switches() -> Switches:
        topic = OnTopic({0: dict(enumerate(stores.switches))}, "t")
        return Switches(current((), topic), [], topic)

    return EmergencyStop(lambda: ACCOUNTS, switches, _is_of(stores), stores.kept.append)


@dataclass
class WrittenInMemory:
    """Searches what the stores have, as the topic is searched."""

    stores: Stores

    def find(self, topic: Topic, begun: Begun) -> Event | None:
        """Return the event of a command; None where no attempt has written it."""
        found = [event for event in self.stores.events if type(event) in topic.models and begun.again]
        return next((event for event in found if getattr(event, "event_id", None) == begun.asked.id), None)


def _is_of(stores: Stores) -> Callable[[str, str], bool]:
    def asked(command_id: str, tenant_id: str) -> bool:
        row = stores.rows.get(command_id)
        return row is not None and row[0].caller.who.tenant_id == tenant_id

    return asked


def _fail(faults: list[BaseException | None]) -> None:
    fault = faults.pop(0) if faults else None
    if fault is not None:
        raise fault


def ids(events: Iterable[Any]) -> list[str]:
    """Return the ids of events."""
    return [event.event_id for event in events]
