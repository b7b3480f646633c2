"""Audit events of logins and of changes to users: written with the change in PostgreSQL, and sent to Kafka after it.

So people can sign in while Kafka is away, to see what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from uuid import uuid4

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.postgres.connection import Connection
from tradewind.schemas.tenancy import AuditEvent

NOBODY: Final = "none"
MOST_UNSENT: Final = 100_000
"""Events that wait for Kafka: 100 MB. Nobody signs in or changes a user before some are sent."""
AT_A_TIME: Final = 20
"""PostgreSQL waits for Kafka meanwhile, 10 s at the most."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, as far as that is known."""

    user_id: str
    role: str
    tenant_id: str | None
    session_id: str
    address: str


def unknown(address: str) -> Actor:
    """Return somebody who gave a name that nobody has. The name is not told: it may be a password."""
    return Actor("unknown", NOBODY, None, NOBODY, address)


TERMINAL: Final = Actor("terminal", "operator", None, NOBODY, "terminal")
"""Whoever may run commands on a machine with the settings of the platform."""


async def keep_change(
    connection: Connection,
    actor: Actor,
    action: str,
    *,
    subject: str,
    detail: str,
    tenant_id: str | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Keep the event of a change, in the change's own transaction. `tenant_id` is whom it concerns."""
    made = _event(actor, action, detail)
    changed = replace(
        made, tenant_id=tenant_id, outcome="CHANGED", subject=subject, before=_json(before), after=_json(after)
    )
    await _keep(connection, changed)


async def keep_refusal(connection: Connection, actor: Actor, action: str, problem: Problem) -> None:
    """Keep the event of a refusal."""
    where = f"{problem.pointer}: " if problem.pointer else ""
    await _keep(connection, replace(_event(actor, action, where + problem.detail), code=problem.code))


async def send(connection: Connection, write: Callable[[AuditEvent], Awaitable[None]]) -> int:
    """Send what waits, oldest first, and return how many were sent. Raises what `write` raises; nothing is lost then.

    If the process dies, an event may be sent again, with the same id.
    """
    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT number, event FROM unsent_audits ORDER BY number LIMIT $1 FOR UPDATE SKIP LOCKED", AT_A_TIME
        )
        for row in rows:
            await write(AuditEvent(**json.loads(row["event"])))
        await connection.execute("DELETE FROM unsent_audits WHERE number = ANY($1)", [row["number"] for row in rows])
    return len(rows)


async def _keep(connection: Connection, event: AuditEvent) -> None:
    waiting = await connection.fetchval("SELECT max(number) - min(number) FROM unsent_audits")
    if waiting is not None and waiting >= MOST_UNSENT:
        raise Problem(
            503,
            "AUDIT_FULL",
            f"{MOST_UNSENT:,} audit events wait for Kafka",
            "start a gateway, and see ./dev status for what keeps it from Kafka",
            headers={"Retry-After": "30"},
        )
    await connection.execute("INSERT INTO unsent_audits (event) VALUES ($1)", json.dumps(asdict(event)))


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)


def _event(actor: Actor, action: str, detail: str) -> AuditEvent:
    """Return the event of a refusal, without its code."""
    event_id, now_us = uuid4().hex, clock_us()
    return AuditEvent(
        event_id=event_id,
        tenant_id=actor.tenant_id,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        user_id=actor.user_id,
        role=actor.role,
        session_id=actor.session_id,
        address=actor.address,
        action=action,
        request_key="",
        outcome="REFUSED",
        code="",
        detail=detail,
        subject="",
    )
