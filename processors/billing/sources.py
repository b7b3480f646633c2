"""Which records of a source have come: each is counted once, and what is missing is known.

A source numbers its records for each tenant from 0 on. Kept are the highest number, up to `MOST_MISSING` numbers below
it that have not come, and digests of the newest records. So memory grows with sources, not with records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Literal, TypeAlias

from tradewind.processors.batch import State
from tradewind.processors.clock import DAY_US, MINUTE_US
from tradewind.processors.identity import ID_BYTES
from tradewind.schemas.billing import UsageNowState, UsageSourceState

SOURCE: Final = "source/"
MOST_MISSING: Final = 64  # numbers: a door sends some records at once, and no more of them change places
RECENT: Final = 64  # records whose repetition is told from a contradiction: what a producer may send again
SILENT_US: Final = DAY_US  # after which a door is taken for ended: it tallies for seconds
AWAY_US: Final = 7 * DAY_US  # for which this agent may have been away: what came meanwhile is read after the clock
CLOCK: Final = "clock"
DIGEST_CHARACTERS: Final = 16  # 64 bits, of which no two of 64 records are equal by chance
AGENTS: Final = ("ai/", "metering/")
"""Sources that never end, however long they are silent: agents number in their state."""
Verdict: TypeAlias = Literal["NEW", "REPEATED", "CONTRADICTS", "OLD"]
Seen: TypeAlias = dict[str, int | str]


@dataclass(slots=True)
class Source:
    """What is known of a source and tenant, while records are counted."""

    tenant_id: str
    name: str
    highest: int
    missing: list[int]
    """Ascending."""
    recent: dict[int, Seen]
    """Sequence -> what is kept of the record, in the order in which the records came."""
    missing_since: int | None
    missing_told: bool
    repeated: int
    ts_seen: int

    @classmethod
    def of(cls, known: UsageSourceState) -> Source:
        """Return what a state says."""
        recent = {int(seen["sequence"]): dict(seen) for seen in known.recent}
        return cls(
            known.tenant_id,
            known.source,
            known.highest,
            list(known.missing),
            recent,
            known.missing_since,
            known.missing_told,
            known.repeated,
            known.ts_seen,
        )

    @classmethod
    def unknown(cls, tenant_id: str, name: str) -> Source:
        """Return a source of which nothing has come."""
        return cls(tenant_id, name, -1, [], {}, None, False, 0, 0)  # noqa: FBT003 - in the order of the fields

    def take(self, sequence: int, said: str, now: int) -> tuple[Verdict, int]:
        """Judge a record, and remember it if it is sound; return how many missing numbers it gives up, too."""
        given_up = 0
        if sequence == self.highest + 1:
            self.highest = sequence
        elif sequence > self.highest:
            missed = range(self.highest + 1, sequence)
            missing = [*self.missing, *missed[-MOST_MISSING:]]
            given_up = len(self.missing) + len(missed) - len(missing[-MOST_MISSING:])
            self.missing, self.highest = missing[-MOST_MISSING:], sequence
        elif sequence in self.missing:
            self.missing.remove(sequence)
        else:
            seen = self.recent.get(sequence)
            if seen is None:
                return "OLD", 0
            if seen["digest"] != said:
                return "CONTRADICTS", 0
            self.repeated += 1
            self.ts_seen = max(self.ts_seen, now)
            return "REPEATED", 0
        self.recent[sequence] = {"sequence": sequence, "digest": said}
        if len(self.recent) > RECENT:
            del self.recent[next(iter(self.recent))]
        self.ts_seen = max(self.ts_seen, now)
        self.missing_since = (self.missing_since or now) if self.missing else None
        self.missing_told = self.missing_told and self.missing_since is not None
        return "NEW", given_up

    def state(self) -> UsageSourceState:
        """Return it as a state."""
        return UsageSourceState(
            source=self.name,
            tenant_id=self.tenant_id,
            highest=self.highest,
            missing=tuple(self.missing),
            recent=tuple(self.recent.values()),
            missing_since=self.missing_since,
            missing_told=self.missing_told,
            repeated=self.repeated,
            ts_seen=self.ts_seen,
        )


def digest(*said: Any) -> str:
    """Return a digest of what a record says, but when it came."""
    text = "\x1f".join(map(str, said))
    return blake2b(text.encode(), digest_size=ID_BYTES).hexdigest()[:DIGEST_CHARACTERS]


def source_of(state: State, tenant_id: str, name: str) -> Source | None:
    """Return what is known of a source; None where nothing is."""
    known = state.get(_key(tenant_id, name), UsageSourceState)
    return None if known is None else Source.of(known)


def all_sources(state: State, tenant_id: str = "") -> Iterator[Source]:
    """Return what is known of each source, of one tenant or of all, by tenant and name."""
    prefix = f"{SOURCE}{tenant_id}/" if tenant_id else SOURCE
    for key in list(state.keys(prefix)):
        known = state.get(key, UsageSourceState)
        if known is not None:
            yield Source.of(known)


def keep(state: State, source: Source) -> None:
    """Store what is known of a source."""
    state.put(_key(source.tenant_id, source.name), source.state())


def forget_silent(state: State, source: Source, now: int, after_us: int) -> bool:
    """Forget a door that has been silent for longer than so long, µs; return whether it is forgotten."""
    if source.name.startswith(AGENTS) or now - source.ts_seen <= after_us:
        return False
    state.delete(_key(source.tenant_id, source.name))
    return True


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


def _key(tenant_id: str, name: str) -> str:
    return f"{SOURCE}{tenant_id}/{name}"
