"""Which alerts hold. Some come again while they hold, and are ended by another one; most come once."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

from tradewind.schemas.notifications import Alert

State = Literal["HOLDS", "CAME", "UNHEARD", "OVER"]
"""HOLDS: it comes again and again. CAME: it came once, within a day. UNHEARD: it came again and again, and no more,
because the process that said it has ended. OVER: another alert has ended it."""
STATES: Final[tuple[State, ...]] = ("HOLDS", "CAME", "UNHEARD", "OVER")
SEVERITIES: Final = ("CRITICAL", "WARNING", "INFO", "UNKNOWN")
OVER: Final = "_OVER"
"""How the code of an alert ends that ends another one."""
ACKNOWLEDGED: Final = "_ACKNOWLEDGED"
"""How the code of an alert ends by which a person says that somebody looks into another one."""
REPEATED: Final = ("WATCHDOG_",)
"""How codes of alerts begin that come again each minute while they hold."""
SILENT_US: Final = 180_000_000
"""Without a repetition; three of them are missing then."""
DAY_US: Final = 86_400_000_000
MOST: Final = 1_000
"""Complaints that are kept; beyond them, those that were heard of last the longest ago are forgotten."""


class Complaint(NamedTuple):
    """What an alert is about, whichever process says it and however often."""

    source: str
    code: str
    tenant_id: str | None
    group: str | None
    topic: str | None
    partition: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """That somebody looks into it."""

    at_us: int
    said: str
    """Who, and a note."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a complaint. Times are µs since 1970."""

    alert: Alert
    """The newest that does not end it."""
    since_us: int
    last_us: int
    times: int
    """How often it was said, over all of its occurrences."""
    over_us: int | None = None
    acknowledged: Acknowledged | None = None
    """Of this occurrence: the next one wants another."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A complaint as it stands."""

    said: Said
    state: State


def complaint_of(alert: Alert) -> Complaint:
    """Return what an alert is about, ends or acknowledges."""
    code = alert.code.removesuffix(OVER).removesuffix(ACKNOWLEDGED)
    return Complaint(alert.source, code, alert.tenant_id, alert.group, alert.topic, alert.partition)


def hear(book: MutableMapping[Complaint, Said], alert: Alert) -> None:
    """Take an alert into what is known. An end of something that was never said changes nothing.

    Neither does an acknowledgement of something that is over, or has begun anew since.
    """
    complaint = complaint_of(alert)
    if alert.code.endswith(ACKNOWLEDGED):
        held = book.get(complaint)
        if held is not None and held.over_us is None and held.alert.event_id == alert.causation_id:
            book[complaint] = replace(held, acknowledged=Acknowledged(alert.ts_ingest, alert.message))
        return
    known = book.pop(complaint, None)
    if alert.code.endswith(OVER):
        if known is not None:
            book[complaint] = replace(known, last_us=max(known.last_us, alert.ts_ingest), over_us=alert.ts_ingest)
        return
    since = alert.ts_event if alert.since is None else alert.since
    goes_on = known is not None and known.over_us is None and known.alert.event_id == alert.event_id
    book[complaint] = Said(
        alert,
        since_us=min(since, known.since_us) if goes_on and known is not None else since,
        last_us=max(alert.ts_ingest, known.last_us if known is not None else 0),
        times=1 + (known.times if known is not None else 0),
        acknowledged=known.acknowledged if goes_on and known is not None else None,
    )
    while len(book) > MOST:
        del book[next(iter(book))]


def standing(found: Iterable[Said], now_us: int) -> list[Standing]:
    """Return how complaints of the last day stand: what holds first, then by severity, the newest first."""
    known = [Standing(one, _state(one, now_us)) for one in found if one.last_us > now_us - DAY_US]
    return sorted(known, key=_order)


def _state(said: Said, now_us: int) -> State:
    if said.over_us is not None:
        return "OVER"
    if not said.alert.code.startswith(REPEATED):
        return "CAME"
    return "HOLDS" if said.last_us > now_us - SILENT_US else "UNHEARD"


def _order(one: Standing) -> tuple[int, int, int]:
    return STATES.index(one.state), SEVERITIES.index(one.said.alert.severity), -one.said.last_us
