"""Which alerts hold, and which are over."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.alerts import (
    ACKNOWLEDGED,
    DAY_US,
    MOST,
    OVER,
    SILENT_US,
    STATES,
    Acknowledged,
    Complaint,
    Said,
    complaint_of,
    hear,
    standing,
)
from tradewind.schemas.notifications import Alert

SECOND = 1_000_000
BEGUN = 1_767_000_000 * SECOND
STUCK = Alert(
    event_id="a" * 32,
    ts_event=BEGUN,
    ts_ingest=BEGUN,
    correlation_id="a",
    causation_id="a",
    severity="CRITICAL",
    source="risk",
    code="WATCHDOG_POSITION",
    message="it stands",
    group="risk",
    topic="market.ticks",
    partition=1,
    since=BEGUN - 60 * SECOND,
)
BUDGET = replace(
    STUCK, code="AI_BUDGET_80", source="ai", tenant_id="alpha", group=None, topic=None, partition=None, since=None
)


def at(alert: Alert, seconds: float, **changes: object) -> Alert:
    """Return an alert as it is said so long after the first."""
    return replace(alert, ts_ingest=BEGUN + round(seconds * SECOND), **changes)  # type: ignore[arg-type]


def told(*alerts: Alert) -> dict[Complaint, Said]:
    """Return what is known after some alerts."""
    book: dict[Complaint, Said] = {}
    for alert in alerts:
        hear(book, alert)
    return book


def states(book: dict[Complaint, Said], seconds: float) -> list[str]:
    """Return how complaints stand so long after the first."""
    return [one.state for one in standing(book.values(), BEGUN + round(seconds * SECOND))]


def test_what_is_repeated_holds_until_it_is_over_or_unheard() -> None:
    """It is one complaint since it began, whoever says it and however often."""
    book = told(STUCK, at(STUCK, 60, since=BEGUN), at(STUCK, 120))
    assert states(book, 121) == ["HOLDS"]
    (said,) = book.values()
    assert (said.since_us, said.last_us, said.times) == (BEGUN - 60 * SECOND, BEGUN + 120 * SECOND, 3)
    assert states(book, 121 + SILENT_US / SECOND) == ["UNHEARD"]
    hear(book, at(STUCK, 180, code=STUCK.code + OVER, event_id="b" * 32, severity="INFO"))
    assert states(book, 181) == ["OVER"]
    (said,) = book.values()
    assert (said.alert.severity, said.over_us, said.times) == ("CRITICAL", BEGUN + 180 * SECOND, 3)
    hear(book, at(STUCK, 240, event_id="c" * 32, since=BEGUN + 230 * SECOND))
    assert states(book, 241) == ["HOLDS"]
    (said,) = book.values()
    assert (said.since_us, said.over_us, said.times) == (BEGUN + 230 * SECOND, None, 4)


def test_an_alert_that_comes_once_is_shown_for_a_day() -> None:
    """Nothing says when it is over."""
    book = told(BUDGET)
    assert states(book, 3_600) == ["CAME"]
    assert states(book, DAY_US / SECOND + 1) == []


def test_other_partitions_groups_and_tenants_are_other_complaints() -> None:
    """The end of one ends no other; an end alone says nothing."""
    others = [at(STUCK, 0, **change) for change in ({"partition": 2}, {"group": "sizing"}, {"topic": "market.bars"})]
    book = told(STUCK, *others, BUDGET, at(BUDGET, 0, tenant_id="beta"), at(STUCK, 1, code=STUCK.code + OVER))
    assert states(book, 2) == ["HOLDS"] * 3 + ["CAME"] * 2 + ["OVER"]
    assert told(at(STUCK, 1, code=STUCK.code + OVER)) == {}


def test_what_was_heard_of_the_longest_ago_is_forgotten_first() -> None:
    """Memory is bounded."""
    book = told(*(at(STUCK, number, partition=number) for number in range(MOST)))
    hear(book, at(STUCK, MOST, partition=0))
    hear(book, at(STUCK, MOST, partition=MOST))
    assert len(book) == MOST
    assert complaint_of(at(STUCK, 0, partition=0)) in book
    assert complaint_of(at(STUCK, 0, partition=1)) not in book


@given(
    st.lists(
        st.tuples(st.sampled_from([STUCK, BUDGET, STUCK, at(STUCK, 0, code=STUCK.code + OVER)]), st.integers(0, 3)),
        max_size=30,
    )
)
def test_what_holds_was_said_after_it_was_over(said: list[tuple[Alert, int]]) -> None:
    """Whatever is said in whatever order: one row for each complaint, what holds first."""
    alerts = [at(alert, number, partition=which) for number, (alert, which) in enumerate(said)]
    found = standing(told(*alerts).values(), BEGUN + 100 * SECOND)
    assert len({complaint_of(one.said.alert) for one in found}) == len(found)
    assert [STATES.index(one.state) for one in found] == sorted(STATES.index(one.state) for one in found)
    for one in found:
        newest = [alert for alert in alerts if complaint_of(alert) == complaint_of(one.said.alert)][-1]
        assert (one.state == "OVER") == newest.code.endswith(OVER)


def test_an_acknowledgement_holds_until_the_alert_is_over_or_begins_anew() -> None:
    """It changes nothing else; one that comes too late is of no occurrence."""
    noted = at(
        STUCK, 10, code=f"{STUCK.code}{ACKNOWLEDGED}", event_id="k", causation_id=STUCK.event_id, message="ada: on it"
    )
    anew = at(STUCK, 240, event_id="c" * 32, since=BEGUN + 230 * SECOND)
    (before,) = told(STUCK, at(STUCK, 60)).values()
    (said,) = told(STUCK, noted, at(STUCK, 60)).values()
    assert said.acknowledged == Acknowledged(BEGUN + 10 * SECOND, "ada: on it")
    assert replace(said, acknowledged=None) == before
    (said,) = told(STUCK, noted, at(STUCK, 180, code=STUCK.code + OVER), anew).values()
    assert said.acknowledged is None
    (said,) = told(STUCK, anew, noted).values()
    assert said.acknowledged is None
    assert told(noted) == {}
