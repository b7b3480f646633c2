"""Which records of a source have come: each is counted once, and what is missing is known.

A source numbers its records for each tenant from 0 on. Kept are the highest number, up to `MOST_MISSING` numbers below
it that have not come, and digests of the newest records. So memory grows with sources, not with records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from tradewind.processors.batch import State
from tradewind.processors.clock import DAY_US, MINUTE_US, advance
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage, UsageNowState, UsageSourceState

SOURCE: Final = "source/"
MOST_MISSING: Final = 64  # numbers: a door sends some records at once, and no more of them change places
RECENT: Final = 64  # records whose repetition is told from a contradiction: what a producer may send again
SILENT_US: Final = DAY_US  # after which a door is taken for ended: it tallies for seconds
AWAY_US: Final = 7 * DAY_US  # for which this agent may have been away: what came meanwhile is read after the clock
CLOCK: Final = "clock"
AGENTS: Final = ("ai/", "metering/")
"""Sources that never end, however long they are silent: agents number in their state."""
Verdict: TypeAlias = Literal["NEW", "REPEATED", "CONTRADICTS", "OLD", "CLOSED"]


def judge(state: State, usage: Usage) -> tuple[Verdict, UsageSourceState, int]:
    """Return whether a record counts, what is known of its source with it, and how many numbers are given up by it."""
    told = told_time(state)
    now = advance(state, usage.ts_ingest if told is None else min(usage.ts_ingest, told + MINUTE_US), UsageNowState)
    found = state.get(_key(usage.tenant_id, usage.source), UsageSourceState)
    known = found or _unknown(usage)
    if found is None and now - usage.ts_ingest > SILENT_US:
        return "CLOSED", known, 0
    sequence, said = usage.sequence, digest(usage)
    if sequence > known.highest:
        missed = range(known.highest + 1, sequence)
        missing = (*known.missing, *missed[-MOST_MISSING:])
        kept = missing[-MOST_MISSING:]
        given_up = len(known.missing) + len(missed) - len(kept)
        return "NEW", _with(replace(known, highest=sequence, missing=kept), usage, said, now), given_up
    if sequence in known.missing:
        missing = tuple(number for number in known.missing if number != sequence)
        return "NEW", _with(replace(known, missing=missing), usage, said, now), 0
    for seen in known.recent:
        if seen["sequence"] == sequence:
            if seen["digest"] != said:
                return "CONTRADICTS", known, 0
            return "REPEATED", replace(known, repeated=known.repeated + 1, ts_seen=max(known.ts_seen, now)), 0
    return "OLD", known, 0


def tell_time(state: State, at: int) -> int | None:
    """Take the time of the clock, µs; return its minute where that is a new one. A step back changes nothing."""
    minute = at - at % MINUTE_US
    known = told_time(state)
    if known is not None and known >= minute:
        return None
    state.put(CLOCK, UsageNowState(now=minute))
    return minute


def told_time(state: State) -> int | None:
    """Return the newest minute that the clock has told, µs; None if it has told none."""
    known = state.get(CLOCK, UsageNowState)
    return None if known is None else known.now


def all_sources(state: State) -> Iterator[UsageSourceState]:
    """Return what is known of each source, by tenant and name."""
    for key in list(state.keys(SOURCE)):
        known = state.get(key, UsageSourceState)
        if known is not None:
            yield known


def retire(state: State, known: UsageSourceState, at: int) -> bool:
    """Forget a door that the clock shows to be silent; return whether it is forgotten.

    By the clock alone, a door has `AWAY_US` more: if this agent was away, the clock is ahead of the records that wait.
    Otherwise the next record of another door shows the silence.
    """
    if known.source.startswith(AGENTS) or at - known.ts_seen <= SILENT_US + AWAY_US:
        return False
    state.delete(_key(known.tenant_id, known.source))
    return True


def keep(state: State, source: UsageSourceState) -> None:
    """Keep what is known of a source; if it is new, forget those that ended."""
    key = _key(source.tenant_id, source.source)
    if state.get(key, UsageSourceState) is None:
        _forget_silent(state, source)
    state.put(key, source)


def digest(usage: Usage) -> str:
    """Return what a record says, but when it came."""
    parts = (usage.meter, usage.dimension, usage.quantity, usage.ts_event, int(usage.billable), usage.event_id)
    return derive_id(*parts)[:16]


def _with(known: UsageSourceState, usage: Usage, said: str, now: int) -> UsageSourceState:
    seen: dict[str, int | str] = {"sequence": usage.sequence, "digest": said}
    recent = (*known.recent, seen)[-RECENT:]
    since = (known.missing_since or now) if known.missing else None
    told = known.missing_told and since is not None
    return replace(known, recent=recent, ts_seen=max(known.ts_seen, now), missing_since=since, missing_told=told)


def _forget_silent(state: State, newer: UsageSourceState) -> None:
    """Forget the doors of a tenant that have been silent for a day: whoever starts again is a new source."""
    for key in list(state.keys(f"{SOURCE}{newer.tenant_id}/")):
        known = state.get(key, UsageSourceState)
        if known is not None and newer.ts_seen - known.ts_seen > SILENT_US and not known.source.startswith(AGENTS):
            state.delete(key)


def _unknown(usage: Usage) -> UsageSourceState:
    return UsageSourceState(
        source=usage.source,
        tenant_id=usage.tenant_id,
        highest=-1,
        missing=(),
        recent=(),
        missing_since=None,
        missing_told=False,
        repeated=0,
        ts_seen=0,
    )


def _key(tenant_id: str, source: str) -> str:
    return f"{SOURCE}{tenant_id}/{source}"
