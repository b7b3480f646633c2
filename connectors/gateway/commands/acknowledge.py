"""Acknowledgements: a person says that somebody looks into an alert. They are alerts themselves, on the same topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.commands.asked import Answer
from tradewind.connectors.gateway.commands.audit import changed
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Made
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.processors.health.alerts import ACKNOWLEDGED, Said
from tradewind.schemas.event import Event
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS, AUDIT

NOTE_CHARACTERS: Final = 500


class Acknowledge(BaseModel):
    """What is known so far."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=NOTE_CHARACTERS, description="Such as what is done about it.")] = ""


def alert_of(known: Sequence[Said], alert_id: str, who: Who) -> Said:
    """Return an alert that a user may see; raises `Problem`: 404, and 409 where it is over."""
    found = next((one for one in known if one.alert.event_id == alert_id), None)
    if found is None or (who.tenant_id is not None and found.alert.tenant_id != who.tenant_id):
        raise Problem(
            404,
            "UNKNOWN_ALERT",
            f"there is no alert {alert_id} of the last day",
            "GET /api/v1/alerts/active lists the alerts; one that began anew has another id",
            pointer="path: id",
        )
    if found.over_us is not None:
        raise Problem(
            409, "ALERT_OVER", f"{found.alert.code} is over", "there is nothing to acknowledge", pointer="path: id"
        )
    return found


def acknowledged(body: Acknowledge, said: Said, name: str, begun: Begun) -> Made:
    """Return the acknowledgement of an alert by a user of a name, and its audit event."""
    alert = said.alert
    made = replace(
        alert,
        event_id=begun.asked.id,
        ts_event=begun.at_us,
        ts_ingest=begun.at_us,
        correlation_id=alert.correlation_id,
        causation_id=alert.event_id,
        severity="INFO",
        code=f"{alert.code}{ACKNOWLEDGED}",
        message=f"{name}: {body.note}" if body.note else name,
    )
    audit = changed(
        begun.asked.caller,
        begun.asked.id,
        begun.at_us,
        tenant_id=alert.tenant_id,
        subject=f"alert {alert.code} of {alert.source}",
        detail=f"acknowledged: {body.note}" if body.note else "acknowledged",
        before=None if said.acknowledged is None else {"said": said.acknowledged.said},
        after={"said": made.message},
    )
    return Made(Answer(200, _told(made)), ((ALERTS, made), (AUDIT, audit)))


def acknowledged_before(event: Event) -> Made:
    """Return the answer to a command that an earlier attempt has written."""
    if not isinstance(event, Alert):
        raise TypeError(f"{type(event).__name__} is no acknowledgement")
    return Made(Answer(200, _told(event)))


def _told(made: Alert) -> dict[str, Any]:
    return {
        "id": made.causation_id,
        "code": made.code.removesuffix(ACKNOWLEDGED),
        "at": time_to_json(made.ts_event),
        "said": made.message,
    }
