"""Limits: how many requests a tenant may make, and how fast a key may be used.

A tenant's hour and day are those of UTC. A key is paced: its calls carry the time before which they are not sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tradewind.processors.ai.breakers import keep_key, key_state
from tradewind.processors.batch import State
from tradewind.processors.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tradewind.schemas.ai import AiAdmittedState, AiTenantState

BURST_US: Final = 6 * SECOND_US  # a tenth of a minute's calls may go at once; the pace is slower by as much
RECENT_REQUESTS: Final = 64  # ids kept for each tenant to know a repetition: 2 kB, what a client sends again at once
BYTES_PER_TOKEN: Final = 4  # of prompts, as providers estimate them for their own limits


@dataclass(frozen=True, slots=True)
class Limit:
    """What a key may be used for in a minute; 0 for any number."""

    requests_per_minute: int
    tokens_per_minute: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call takes of its key's limits."""

    at: int
    """When it may be sent, µs."""
    tokens: int


def admitted_of(state: State, tenant_id: str) -> AiAdmittedState:
    """Return which requests of a tenant were taken."""
    known = state.get(_key(tenant_id), AiAdmittedState)
    return known or AiAdmittedState(
        tenant_id=tenant_id, hour_start=0, hour_count=0, day_start=0, day_count=0, recent=()
    )


def wait_us(state: State, tenant: AiTenantState, now: int) -> int:
    """Return how long a tenant has to wait until another request is admitted, µs; 0 where it need not."""
    known = admitted_of(state, tenant.tenant_id)
    hour, day = now - now % HOUR_US, now - now % DAY_US
    if known.day_start == day and known.day_count >= tenant.requests_per_day:
        return day + DAY_US - now
    if known.hour_start == hour and known.hour_count >= tenant.requests_per_hour:
        return hour + HOUR_US - now
    if not tenant.requests_per_day or not tenant.requests_per_hour:
        return DAY_US
    return 0


def note_request(state: State, tenant_id: str, request_id: str, now: int, *, admitted: bool) -> None:
    """Remember a request, and count it where it is admitted."""
    known = admitted_of(state, tenant_id)
    recent = (*known.recent, request_id)[-RECENT_REQUESTS:]
    if not admitted:
        state.put(_key(tenant_id), replace(known, recent=recent))
        return
    hour, day = now - now % HOUR_US, now - now % DAY_US
    after = AiAdmittedState(
        tenant_id=tenant_id,
        hour_start=hour,
        hour_count=1 + (known.hour_count if known.hour_start == hour else 0),
        day_start=day,
        day_count=1 + (known.day_count if known.day_start == day else 0),
        recent=recent,
    )
    state.put(_key(tenant_id), after)


def was_taken(state: State, tenant_id: str, request_id: str) -> bool:
    """Return whether a request is among the newest of its tenant."""
    return request_id in admitted_of(state, tenant_id).recent


def earliest(state: State, provider: str, key_id: str, limit: Limit, now: int) -> int:
    """Return the time before which the next call of a key may not be sent, µs; `now` where it may at once."""
    key = key_state(state, provider, key_id)
    dues = []
    if limit.requests_per_minute:
        dues.append(key.requests_due)
    if limit.tokens_per_minute:
        dues.append(key.tokens_due)
    return max([now, *(due - BURST_US for due in dues)])


def use(state: State, provider: str, key_id: str, limit: Limit, spent: Spent) -> None:
    """Count a call of a key."""
    if not limit.requests_per_minute and not limit.tokens_per_minute:
        return
    key = key_state(state, provider, key_id)
    keep_key(
        state,
        replace(
            key,
            requests_due=max(key.requests_due, spent.at) + _step(limit.requests_per_minute, 1),
            tokens_due=max(key.tokens_due, spent.at) + _step(limit.tokens_per_minute, spent.tokens),
        ),
    )


def _step(a_minute: int, units: int) -> int:
    """Return how long units take at the pace, µs: slow enough that a burst and a minute stay within the limit."""
    if a_minute <= 0:
        return 0
    if a_minute == 1:
        return units * (MINUTE_US + BURST_US)
    return units * (MINUTE_US + BURST_US) // (a_minute - 1)


def _key(tenant_id: str) -> str:
    return f"admitted/{tenant_id}"
