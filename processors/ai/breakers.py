"""Breakers of keys and of models: what does not work is left alone, and tested by one call at a time.

A breaker that is open lets nothing through until its time is over; then the next call is a probe, and until that has
ended no other call goes. A key without credit, or one that is refused, opens at once for all its models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

from tradewind.processors.ai.outcomes import Breaker
from tradewind.processors.batch import State
from tradewind.processors.clock import SECOND_US
from tradewind.schemas.ai import AiBreakerState, AiKeyState

MOST_FAILURES: Final = 5  # in a row: one request in five may fail without its model being left alone for long
FIRST_OPEN_US: Final = 10 * SECOND_US
LONGEST_OPEN_US: Final = 300 * SECOND_US  # a provider that is back is found within five minutes
KEY_OPEN_US: Final = 300 * SECOND_US
KEY_LONGEST_US: Final = 3_600 * SECOND_US  # somebody has to pay a bill or change a key: an hour is soon enough


class Called(Protocol):
    """What a breaker looks at of a call."""

    @property
    def call_id(self) -> str:
        """Its id."""

    @property
    def provider(self) -> str:
        """Whom it asks."""

    @property
    def model(self) -> str:
        """The model."""

    @property
    def key_id(self) -> str | None:
        """The key; None for a provider that needs none."""

    @property
    def probe(self) -> bool:
        """Whether it tests a breaker that was open."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a call may go."""

    open_until: int = 0
    """The call may not go before this time; 0 where it may."""
    probe: bool = False
    """Whether it would be a probe."""


def gate_of(state: State, provider: str, key_id: str, model: str, now: int) -> Gate:
    """Return whether a model may be called under a key, and whether that would be a probe."""
    probe = False
    for known in (key_state(state, provider, key_id), breaker_state(state, provider, key_id, model)):
        if known.open_until == 0:
            continue
        if known.probe is not None:
            return Gate(open_until=max(known.open_until, now + SECOND_US))
        if known.open_until > now:
            return Gate(open_until=known.open_until)
        probe = True
    return Gate(probe=probe)


def begin_probe(state: State, call: Called) -> None:
    """Let no other call through until this one has ended."""
    key_id = call.key_id or ""
    key, breaker = key_state(state, call.provider, key_id), breaker_state(state, call.provider, key_id, call.model)
    if key.open_until:
        keep_key(state, replace(key, probe=call.call_id))
    if breaker.open_until:
        _keep(state, replace(breaker, probe=call.call_id))


def judge(state: State, call: Called, verdict: Breaker, now: int) -> None:
    """Take into account what came of a call.

    Calls that were in flight when a breaker opened say nothing new: only a probe makes it stay open for longer.
    """
    key_id = call.key_id or ""
    key, breaker = key_state(state, call.provider, key_id), breaker_state(state, call.provider, key_id, call.model)
    key_moves = not key.open_until or key.probe == call.call_id
    model_moves = not breaker.open_until or breaker.probe == call.call_id
    if key.probe == call.call_id:
        key = replace(key, probe=None)
    if breaker.probe == call.call_id:
        breaker = replace(breaker, probe=None)
    match verdict:
        case "SUCCESS":
            key = replace(key, open_until=0, failures=0)
            breaker = replace(breaker, failures=0, opened=0, open_until=0)
        case "OPEN_KEY" if key_moves:
            wait_us = min(KEY_OPEN_US << min(key.failures, 10), KEY_LONGEST_US)
            key = replace(key, open_until=now + wait_us, failures=key.failures + 1)
        case "OPEN_MODEL" if model_moves:
            breaker = _opened(breaker, now)
        case "FAILURE":
            breaker = replace(breaker, failures=breaker.failures + 1)
            if model_moves and (call.probe or breaker.failures >= MOST_FAILURES):
                breaker = _opened(breaker, now)
        case _:
            pass
    _keep_changed(state, key, breaker)


def forgive(state: State, provider: str) -> None:
    """Close the breakers of a provider: its settings are new, so what was wrong with it may be mended."""
    for at in list(state.keys(f"key/{provider}/")):
        key = state.get(at, AiKeyState)
        if key is not None and key.open_until:
            state.put(at, replace(key, open_until=0, probe=None, failures=0))
    for at in list(state.keys(f"breaker/{provider}/")):
        state.delete(at)


def key_state(state: State, provider: str, key_id: str) -> AiKeyState:
    """Return what is known of a key."""
    known = state.get(f"key/{provider}/{key_id}", AiKeyState)
    return known or AiKeyState(
        provider=provider, key_id=key_id, requests_due=0, tokens_due=0, open_until=0, probe=None, failures=0
    )


def keep_key(state: State, key: AiKeyState) -> None:
    """Keep what is known of a key."""
    state.put(f"key/{key.provider}/{key.key_id}", key)


def breaker_state(state: State, provider: str, key_id: str, model: str) -> AiBreakerState:
    """Return what is known of a model under a key."""
    known = state.get(f"breaker/{provider}/{key_id}/{model}", AiBreakerState)
    return known or AiBreakerState(
        provider=provider, key_id=key_id, model=model, failures=0, opened=0, open_until=0, probe=None
    )


def _opened(breaker: AiBreakerState, now: int) -> AiBreakerState:
    wait_us = min(FIRST_OPEN_US << min(breaker.opened, 10), LONGEST_OPEN_US)
    return replace(breaker, opened=breaker.opened + 1, open_until=now + wait_us)


def _keep_changed(state: State, key: AiKeyState, breaker: AiBreakerState) -> None:
    if key != key_state(state, key.provider, key.key_id):
        keep_key(state, key)
    if breaker != breaker_state(state, breaker.provider, breaker.key_id, breaker.model):
        _keep(state, breaker)


def _keep(state: State, breaker: AiBreakerState) -> None:
    state.put(f"breaker/{breaker.provider}/{breaker.key_id}/{breaker.model}", breaker)
