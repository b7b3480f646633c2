"""Acknowledgements of alerts: by whoever may see the alert, once for a key, and seen by all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from gateway.serving import Quiet, Served, served

from tradewind.connectors.gateway.routes import PREFIX
from tradewind.connectors.gateway.views.alerts import alerts_json
from tradewind.processors.health.alerts import Complaint, Said, hear
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.notifications import Alert

HELD = Alert(
    event_id="a" * 32,
    ts_event=1,
    ts_ingest=1,
    correlation_id="c",
    causation_id="c",
    severity="CRITICAL",
    source="risk",
    code="WATCHDOG_POSITION",
    message="it stands",
    since=1,
)
OWN = replace(HELD, event_id="b" * 32, tenant_id="alpha", code="AI_BUDGET_80")
OVER = replace(HELD, event_id="c" * 32, source="sizing")


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    """Serve a gateway that knows three alerts."""
    with served() as found:
        book: dict[Complaint, Said] = {}
        for alert in (HELD, OWN, OVER, replace(OVER, code="WATCHDOG_POSITION_OVER")):
            hear(book, alert)
        found.gateway.alerts = cast("Any", Quiet(tuple(book.values())))
        yield found


def give(gateway: Served, alert: Alert | str, key: str, note: str = "", **who: Any) -> httpx.Response:
    """Acknowledge an alert."""
    url = f"{gateway.url}{PREFIX}/alerts/{alert if isinstance(alert, str) else alert.event_id}/acknowledge"
    return httpx.post(url, headers=gateway.bearer(key=key, **who), json={"note": note})


def test_an_acknowledgement_is_an_alert_that_all_see(gateway: Served) -> None:
    """Once for a key; it names the user and the alert, and leaves an audit event."""
    for _ in range(2):
        answer = give(gateway, HELD, "k1", "on it")
        assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["said"]) == (HELD.event_id, "ada: on it")
    (made,) = gateway.stores.of(Alert)
    assert (made.code, made.severity, made.causation_id) == ("WATCHDOG_POSITION_ACKNOWLEDGED", "INFO", HELD.event_id)
    assert flaw_of(made) is None
    assert [event.subject for event in gateway.stores.audited] == ["alert WATCHDOG_POSITION of risk"]
    book: dict[Complaint, Said] = {}
    now = replace(HELD, ts_event=made.ts_event, ts_ingest=made.ts_event, since=made.ts_event)
    for alert in (now, made):
        hear(book, alert)
    (said,) = book.values()
    assert said.acknowledged is not None
    assert said.acknowledged.said == "ada: on it"
    assert all("acknowledged" in shown for shown in alerts_json(tuple(book.values()), None))


@pytest.mark.parametrize(
    ("alert", "who", "status", "code"),
    [
        (HELD, {"role": "trader", "tenant": "alpha"}, 404, "UNKNOWN_ALERT"),
        ("f" * 32, {}, 404, "UNKNOWN_ALERT"),
        (OVER, {}, 409, "ALERT_OVER"),
        (OWN, {"role": "trader", "tenant": "beta"}, 404, "UNKNOWN_ALERT"),
        (OWN, {"role": "viewer", "tenant": "alpha"}, 403, "FORBIDDEN"),
        (OWN, {"role": "trader", "tenant": "alpha"}, 200, None),
    ],
)
def test_a_user_acknowledges_what_that_user_sees(
    gateway: Served, alert: Alert | str, who: dict[str, Any], status: int, code: str | None
) -> None:
    """And nothing that is over."""
    answer = give(
        gateway, alert, f"key {alert if isinstance(alert, str) else alert.event_id} {who}".replace(" ", "-"), **who
    )
    assert (answer.status_code, answer.json().get("code") if status != 200 else None) == (status, code)
