"""A trace is derived from an event's ids, the same whenever it is derived again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.telemetry.trace_context import is_traced, span_id, trace_id, traceparent
from tradewind.processors.identity import derive_id
from tradewind.schemas.codec import MODELS
from tradewind.schemas.notifications import Alert

W3C = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")
IDS = st.one_of(st.text(max_size=40), st.just("0" * 32), st.just("0" * 16 + "1" * 16), st.builds(derive_id, st.text()))
CHAIN = ("Bar", "Signal", "OrderRequest", "Decision", "OrderEvent", "Fill", "Position")


def alert(event_id: str, correlation_id: str) -> Alert:
    """Return an event of these ids."""
    return Alert(
        event_id=event_id,
        correlation_id=correlation_id,
        causation_id=event_id,
        ts_event=1,
        ts_ingest=2,
        severity="INFO",
        source="test",
        code="TEST",
        message="",
    )


@given(IDS, IDS)
def test_any_ids_give_a_valid_header_and_the_same_ones_the_same(event_id: str, correlation_id: str) -> None:
    """Also ids of people's own events, empty ones, and zeros, which the standard forbids."""
    header = traceparent(alert(event_id, correlation_id))
    assert W3C.fullmatch(header)
    assert header == traceparent(alert(event_id, correlation_id))


@given(st.text(), st.text())
def test_ids_of_ours_are_found_as_they_stand(one: str, other: str) -> None:
    """The `correlation_id` of a row in PostgreSQL is the trace to look for."""
    first, event = derive_id(one), derive_id(other)
    assert (trace_id(first), span_id(event)) == (first, event[:16])
    assert traceparent(alert(event, first)).decode() == f"00-{first}-{event[:16]}-01"


@given(st.text(max_size=12), st.text(max_size=12))
def test_different_ids_of_others_are_different_traces(one: str, other: str) -> None:
    """They are hashed whole, not cut."""
    assert (trace_id(one) == trace_id(other)) == (one == other)
    assert (span_id(one) == span_id(other)) == (one == other)


def test_events_of_the_trading_path_are_traced_and_nothing_else() -> None:
    """Ticks, heartbeats, states and dead letters belong to no chain; alerts, news, commands, AI and usage do."""
    traced = {model.__name__ for model in MODELS.values() if is_traced(model)}
    commands = {"KillSwitch", "TenantCommand", "Tenant", "TenantRefused", "Seeded"}
    commands |= {"DeploymentCommand", "Deployment", "DeploymentRefused", "DeploymentPosition", "AuditEvent"}
    commands |= {"SubmitOrder", "CancelOrder"}
    ai = {"AiRequest", "AiCall", "AiAttempt", "AiResponse", "AiProvider", "AiRoute", "AiPrice"}
    assert traced == {*CHAIN, "Alert", "News", *commands, *ai, "Usage", "UsageTotal", "UsageThreshold"}
