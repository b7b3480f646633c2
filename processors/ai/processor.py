"""Requests become calls, attempts become responses: every decision on AI, and no call of its own.

A request is admitted by its tenant, its limits and its budget. Then the best model of its route is called; what came
of the call decides whether the request is answered, called again or ended. Each request gets exactly one response. A
request that comes again, and an attempt of a call that is settled, change nothing.
"""

from __future__ import annotations

from tradewind.processors.ai import budgets, limits, settings
from tradewind.processors.ai.admission import Admitted, Refused, admit
from tradewind.processors.ai.calling import OPEN, Asking, begin, fresh
from tradewind.processors.ai.following import ASKED, on_attempt
from tradewind.processors.ai.prompts import Prompts
from tradewind.processors.ai.responses import End, unanswered
from tradewind.processors.batch import Processor, Segment, State, require_known, rows_of
from tradewind.processors.billing.meters import TOKENS
from tradewind.processors.billing.used_up import note_used
from tradewind.processors.clock import advance
from tradewind.processors.tenancy.known import note, note_seeded
from tradewind.schemas.ai import (
    AiAttempt,
    AiNowState,
    AiOpenState,
    AiPrice,
    AiProvider,
    AiRequest,
    AiRoute,
    AiTenantState,
)
from tradewind.schemas.billing import UsageThreshold
from tradewind.schemas.event import Event
from tradewind.schemas.tenancy import Seeded, Tenant


def ai(prompts: Prompts | None = None) -> Processor:
    """Return the AI agent's processor: tenants, quotas, settings, requests, attempts -> calls, answers, usage, alerts.

    `prompts` are those that requests may name. Raises `PoisonRecord` for a record with a symbol that decides and is not
    known.
    """
    known = dict(prompts or {})

    def process(state: State, segment: Segment) -> list[Event]:
        events = enumerate(rows_of(segment).events)
        return [sent for index, event in events for sent in _on_event(state, index, event, known)]

    return process


def _on_event(state: State, index: int, event: Event, prompts: Prompts) -> list[Event]:
    match event:
        case AiRequest():
            require_known(event, index, "kind", "stream", "cache")
            return _on_request(state, event, prompts)
        case AiAttempt():
            require_known(event, index, "outcome", "source", "timeout", "finish")
            return on_attempt(state, event)
        case AiRoute():
            require_known(event, index, "strategy")
            return [*settings.take(state, event)]
        case AiProvider() | AiPrice():
            return [*settings.take(state, event)]
        case Tenant():
            note(state, index, event, _tenant(event))
        case Seeded():
            note_seeded(state, event)
        case UsageThreshold():
            if event.meter in TOKENS:
                note_used(state, event)
        case _:
            raise TypeError(f"the AI agent has no use for a {type(event).__name__}")
    return []


def _tenant(tenant: Tenant) -> AiTenantState:
    return AiTenantState(
        tenant_id=tenant.tenant_id,
        revision=tenant.revision,
        status=tenant.status,
        currency=tenant.currency,
        requests_per_hour=tenant.ai_requests_per_hour,
        requests_per_day=tenant.ai_requests_per_day,
        budget_per_month=tenant.ai_budget_per_month,
        routes=tenant.ai_routes,
        quotas=tuple(quota for quota in tenant.quotas if quota["meter"] in TOKENS),
    )


def _on_request(state: State, request: AiRequest, prompts: Prompts) -> list[Event]:
    now = advance(state, request.ts_ingest, AiNowState)
    known = state.get(f"{OPEN}{request.event_id}", AiOpenState)
    if known is not None or limits.was_taken(state, request.tenant_id, request.event_id):
        return []
    admitted, currency = admit(state, request, now, prompts), ""
    if isinstance(admitted, Admitted):
        request, currency = admitted.request, admitted.tenant.currency
        budgets.forget_old_months(state, admitted.tenant, now)
        found = begin(Asking(state, request, admitted, fresh(request), now, request.ts_ingest))
    else:
        found = admitted
    taken = not isinstance(found, Refused)
    limits.note_request(state, request.tenant_id, request.event_id, now, admitted=taken)
    if isinstance(found, Refused):
        return [unanswered(request, End(request.ts_ingest, request.event_id, currency=currency), found)]
    state.put(f"{ASKED}{request.event_id}", request)
    return [found]
