"""How calls of models have ended lately, and what the breakers of the agent `ai` make of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from tradewind.processors.ai.breakers import begin_probe, gate_of, judge
from tradewind.processors.ai.outcomes import RULES, Outcome
from tradewind.schemas.event import Event

E = TypeVar("E", bound=Event)
Place: TypeAlias = tuple[str, str, str]
"""(provider, model, id of the key): the id is empty for a provider that needs none."""
Standing: TypeAlias = Literal["CLOSED", "OPEN", "PROBE"]
"""Calls pass, no call passes, or the next call is a probe."""
CLOSED: Final = ("CLOSED", None)


@dataclass(slots=True)
class Health:
    """How the calls of a model under a key ended."""

    provider: str
    model: str
    key: str
    """Id of the key; empty for a provider that needs none."""
    calls: int = 0
    failed: int = 0
    """Calls whose end a breaker takes for a failure."""
    p50_ms: float | None = None
    """Of the calls that were answered."""
    p95_ms: float | None = None
    last_failure: str | None = None
    last_failed: datetime | None = None
    outcomes: dict[str, int] = field(default_factory=dict)


def merged(rows: Iterable[Mapping[str, Any]]) -> list[Health]:
    """Return the health of each model and key, of rows for each of their outcomes."""
    found: dict[Place, Health] = {}
    for one in rows:
        place = (str(one["provider"]), str(one["model"]), str(one["key_id"]))
        of = found.setdefault(place, Health(*place))
        outcome, calls = str(one["outcome"]), int(one["calls"])
        of.calls += calls
        of.outcomes[outcome] = calls
        if outcome == "OK":
            of.p50_ms, of.p95_ms = (float(each) / 1_000 for each in cast("Sequence[float]", one["took_us"]))
        elif RULES[cast("Outcome", outcome)].breaker != "NOTHING":
            of.failed += calls
            if of.last_failed is None or one["last"] > of.last_failed:
                of.last_failure, of.last_failed = outcome, one["last"]
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that has ended."""

    call_id: str
    provider: str
    model: str
    key_id: str
    outcome: Outcome
    ended_us: int
    took_us: int

    probe: bool = False


class Breakers:
    """The breakers as the agent's own rules make them of calls that have ended. They may lack what came before.

    Calls in flight are not known, so a probe that is on its way shows as one that is to come.
    """

    def __init__(self, ended: Iterable[Ended]) -> None:
        self._state = _State()
        for one in sorted(ended, key=lambda call: (call.ended_us, call.call_id)):
            begun_us = one.ended_us - one.took_us
            if gate_of(self._state, one.provider, one.key_id, one.model, begun_us).probe:
                call = replace(one, probe=True)
                begin_probe(self._state, call)
            else:
                call = one
            judge(self._state, call, RULES[call.outcome].breaker, call.ended_us)

    def standing(self, place: Place, now_us: int) -> tuple[Standing, int | None]:
        """Return how a model stands under a key, and until when its breaker is open (µs)."""
        provider, model, key_id = place
        gate = gate_of(self._state, provider, key_id, model, now_us)
        if gate.open_until:
            return "OPEN", gate.open_until
        return ("PROBE", None) if gate.probe else CLOSED


class _State:
    """A state in memory."""

    def __init__(self) -> None:
        self._values: dict[str, Event] = {}

    def get(self, key: str, model: type[E]) -> E | None:
        value = self._values.get(key)
        return value if isinstance(value, model) else None

    def put(self, key: str, value: Event) -> None:
        self._values[key] = value

    def delete(self, key: str) -> None:
        self._values.pop(key, None)

    def keys(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self._values if key.startswith(prefix)))
