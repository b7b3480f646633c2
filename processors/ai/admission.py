"""Whether a request is admitted: before any call is made, and in words that its sender can act on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from tradewind.processors.ai.canonical import Canonical, Unsound, canonical
from tradewind.processors.ai.limits import wait_us
from tradewind.processors.ai.prompts import PromptError, Prompts, UnknownPrompt, prompt_of
from tradewind.processors.batch import State
from tradewind.processors.billing.used_up import used_up
from tradewind.processors.clock import month_name
from tradewind.processors.tenancy.known import known
from tradewind.schemas.ai import AiRequest, AiTenantState
from tradewind.schemas.event import US_PER_MS

MOST_BYTES: Final = 512 * 1024  # of a body: call and attempt then fit the megabyte that Kafka takes
Code: TypeAlias = Literal[
    "TOO_LARGE",
    "NO_ROUTE",
    "UNPRICED",
    "BUDGET",
    "RATE",
    "EXPIRED",
    "UNKNOWN_TENANT",
    "TENANT_SUSPENDED",
    "TENANT_CLOSED",
    "UNKNOWN_PROMPT",
    "BAD_REQUEST",
    "FILTERED",
    "TOO_LONG",
    "EXHAUSTED",
    "SCHEMA",
]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered."""

    tenant: AiTenantState
    asked: Canonical
    request: AiRequest
    """With the messages of its prompt."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request gets no answer."""

    code: Code
    reason: str
    retry_after_us: int | None = None


def admit(state: State, request: AiRequest, now: int, prompts: Prompts) -> Admitted | Refused:
    """Judge a request by its tenant, size, time and the tenant's limits; budget and route come with the call."""
    tenant = active_tenant(state, request.tenant_id)
    if isinstance(tenant, Refused):
        return tenant
    try:
        request = worded(request, prompts)
        asked = canonical(request)
    except UnknownPrompt as unknown:
        return Refused("UNKNOWN_PROMPT", str(unknown))
    except (Unsound, PromptError) as unsound:
        return Refused("BAD_REQUEST", str(unsound))
    limited = _too_many(state, tenant, now) or _used_up(state, tenant, now)
    return _late(request, now) or _large(asked) or limited or Admitted(tenant, asked, request)


def worded(request: AiRequest, prompts: Prompts) -> AiRequest:
    """Return a request with the messages of its prompt; raises `PromptError`, and `Unsound` for messages beside it."""
    if request.prompt is None:
        return request
    prompt = prompt_of(prompts, request.prompt)
    if request.messages or request.inputs:
        raise Unsound(f"it has messages beside the prompt {prompt.name}: leave one of them out")
    if request.prompt_digest not in {None, prompt.digest}:
        raise UnknownPrompt(
            f"prompt {prompt.name} has the digest {prompt.digest} here, and {request.prompt_digest} where the request "
            "was made: a prompt that changes gets another version"
        )
    values = {str(one["name"]): str(one["value"]) for one in request.prompt_values}
    messages = tuple(
        {"role": role, "content": text, "name": None, "tool_call_id": None, "tool_calls": (), "images": ()}
        for role, text in prompt.filled(values)
    )
    schema = prompt.json_schema if request.json_schema is None else request.json_schema
    return replace(request, messages=messages, json_schema=schema)


def active_tenant(state: State, tenant_id: str) -> AiTenantState | Refused:
    """Return a tenant that may ask now, or say why it may not."""
    tenant = known(state, tenant_id, AiTenantState)
    if tenant is None:
        return Refused("UNKNOWN_TENANT", f"there is no tenant {tenant_id!r}")
    if tenant.status != "ACTIVE":
        code: Code = "TENANT_CLOSED" if tenant.status == "CLOSED" else "TENANT_SUSPENDED"
        return Refused(code, f"tenant {tenant_id} is {tenant.status}, by revision {tenant.revision}")
    return tenant


def deadline_of(request: AiRequest) -> int:
    """Return the clock time until which an answer is of use, µs."""
    return request.ts_ingest + request.deadline_ms * US_PER_MS


def _late(request: AiRequest, now: int) -> Refused | None:
    if request.valid_until is not None and request.valid_until <= request.ts_event:
        return Refused("EXPIRED", f"valid_until, {request.valid_until} µs, is not after its ts_event")
    if deadline_of(request) > now:
        return None
    return Refused("EXPIRED", f"its {request.deadline_ms:,} ms were over before it could be asked")


def _large(asked: Canonical) -> Refused | None:
    if asked.size <= MOST_BYTES:
        return None
    return Refused("TOO_LARGE", f"it takes {asked.size:,} bytes of JSON, above {MOST_BYTES:,}: send less of it")


def _too_many(state: State, tenant: AiTenantState, now: int) -> Refused | None:
    wait = wait_us(state, tenant, now)
    if not wait:
        return None
    said = (
        f"{tenant.tenant_id} may ask {tenant.requests_per_hour:,} times an hour and {tenant.requests_per_day:,} times "
        "a day: wait, or raise ai_requests_per_hour or ai_requests_per_day by ./dev tenants set"
    )
    return Refused("RATE", said, wait)


def _used_up(state: State, tenant: AiTenantState, now: int) -> Refused | None:
    """Refuse a tenant whose tokens of the month are used up; money is judged by the budget alone."""
    for quota in tenant.quotas:
        used = used_up(state, tenant.tenant_id, str(quota["meter"]), int(quota["units"]), now)
        if used is not None:
            said = f"{tenant.tenant_id} has used {used.quantity:,} {used.meter} of its quota of {quota['units']:,}"
            do = "wait for the next month, or raise quotas by ./dev tenants set"
            return Refused("RATE", f"{said} in {month_name(used.ts_start)}: {do}", used.ts_end - now)
    return None
