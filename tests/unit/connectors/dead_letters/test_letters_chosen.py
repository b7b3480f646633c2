"""Dead letters are found, counted and chosen by what they say; each record is sent back by its latest letter alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.connectors.dead_letters import Plan, Returns, Wanted, plan, survey, tally
from tradewind.connectors.dead_letters.fit import CUT, LETTER_BYTES, is_cut
from tradewind.connectors.dead_letters.reasons import KIND_CHARS, kind_of_reason
from tradewind.connectors.dead_letters.spool import Spool
from tradewind.connectors.dead_letters.survey import Standing
from tradewind.processors.identity import derive_id
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.streams.runtime.agent import Agent, redrive_topic, redriven_topic, skips_topic
from tradewind.streams.runtime.work.dead_letters import letter_of, record_of
from tradewind.topics import BARS, TICKS

AGENT = Agent(name="a", inputs=(TICKS,), outputs=(BARS,), processor=lambda state, segment: [])
RETURNS = Returns(redrive_topic(AGENT), redriven_topic(AGENT), skips_topic(AGENT), frozenset({"market.ticks"}))
LETTER = DeadLetter(
    event_id="", agent="a", error="POISON", reason="No price 1.25 at 17", topic="market.ticks", partition=1, offset=7,
    ts_ingest=1000, key=b"k", value=b"v", headers=(),
)  # fmt: skip


def named(letter: DeadLetter) -> DeadLetter:
    """Return the letter with the id that the runtime gives it."""
    attempt = (letter.attempt,) if letter.attempt > 1 else ()
    return replace(letter, event_id=derive_id(letter.agent, letter.topic, letter.partition, letter.offset, *attempt))


def mark(letter: DeadLetter, times: int = 1) -> Redriven:
    """Return the mark of a letter that was sent back."""
    return Redriven(event_id=letter.event_id, agent="a", times=times, ts_redriven=5)


LETTERS = st.builds(
    lambda error, topic, partition, offset, attempt, time, reason: named(
        replace(
            LETTER, error=error, topic=topic, partition=partition, offset=offset, attempt=attempt, ts_ingest=time,
            reason=reason,
        )
    ),
    st.sampled_from(["POISON", "UNDECODABLE"]),
    st.sampled_from(["market.ticks", "market.bars"]),
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(1, 4),
    st.integers(0, 5),
    st.sampled_from(["no price", "byte 7 of 12", "byte 12 of 7", f"{CUT}9 bytes) byte 1"]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (Wanted(), True),
        (Wanted(error="POISON", topic="market.ticks", partition=1, offset=7, since=1000, until=1001), True),
        (Wanted(error="UNDECODABLE"), False),
        (Wanted(topic="market.tick"), False),
        (Wanted(reason="no PRICE"), True),
        (Wanted(reason="1.25 at 17"), True),
        (Wanted(reason="no prices"), False),
        (Wanted(since=1001), False),
        (Wanted(until=1000), False),
        (Wanted(partition=0), False),
        (Wanted(offset=8), False),
        (Wanted(partition=0, offset=7), False),
    ],
)
def test_a_letter_is_wanted_where_every_condition_holds(wanted: Wanted, takes: bool) -> None:
    """A zero is a condition as any other; the end of a time is not in it."""
    assert wanted.takes(LETTER) is takes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("byte 7 of 12", "byte 12345 of 1"),
        ("0x67 at -1.5", "0x00ff at 27"),
        ("order 0123456789abcdef0123456789abcdef unknown", "order fedcba98765432100123456789abcdef unknown"),
        ("two\n lines", "two lines"),
    ],
)
def test_reasons_of_one_kind_differ_in_numbers_and_ids_alone(one: str, other: str) -> None:
    """So that a thousand letters of one cause are one line."""
    assert kind_of_reason(one) == kind_of_reason(other)


@given(st.text(max_size=300))
def test_a_kind_of_reason_is_one_short_line_and_is_its_own_kind(reason: str) -> None:
    """Whatever the reason says; words stay."""
    kind = kind_of_reason(reason)
    assert len(kind) <= KIND_CHARS
    assert len(kind.splitlines()) <= 1
    assert kind_of_reason(kind) == kind
    assert kind_of_reason("a deadbeef decade") == "a deadbeef decade"


def test_the_runtime_and_the_reader_agree_on_what_is_cut() -> None:
    """The reason is the only place where a letter says so."""
    whole, cut = (
        letter_of("a", ("market.ticks", 0), replace(record_of(LETTER), value=b"x" * size), "UNDECODABLE", "why")
        for size in (LETTER_BYTES, LETTER_BYTES + 1)
    )
    assert (is_cut(whole.reason), is_cut(cut.reason)) == (False, True)


@given(st.lists(LETTERS, max_size=40), st.sets(st.integers(0, 39)))
def test_every_letter_is_in_one_group_and_either_waits_or_not(letters: list[DeadLetter], sent: set[int]) -> None:
    """Sums are those of the letters, one that was written twice counted once; times span the group."""
    marks = {letters[at].event_id: mark(letters[at]) for at in sent if at < len(letters)}
    found = survey(letters, marks)
    groups = tally(found)
    last = {letter.event_id: letter for letter in letters}
    assert sum(group.letters for group in groups) == len(last)
    assert all(group.letters == group.waiting + group.redriven > 0 for group in groups)
    assert len({(group.error, group.topic, group.attempt, group.reason) for group in groups}) == len(groups)
    for group in groups:
        times = [
            letter.ts_ingest
            for letter in last.values()
            if (letter.error, letter.topic, letter.attempt, kind_of_reason(letter.reason))
            == (group.error, group.topic, group.attempt, group.reason)
        ]
        assert (group.oldest, group.newest, group.letters) == (min(times), max(times), len(times))


@given(st.lists(LETTERS, max_size=40), st.sets(st.integers(0, 39)), st.booleans())
def test_of_each_record_the_latest_letter_is_sent_and_only_once(
    letters: list[DeadLetter], sent: set[int], again: bool
) -> None:
    """Every wanted letter is sent, or left out for one reason; what was sent is sent again only where asked."""
    marks = {letters[at].event_id: mark(letters[at]) for at in sent if at < len(letters)}
    found = survey(letters, marks)
    chosen = plan(found, RETURNS, again=again)
    left_out = chosen.redriven + chosen.failed_again + chosen.cut + chosen.unread
    assert len(chosen.send) + left_out == len(found.entries)
    origins = [entry.origin for entry in chosen.send.values()]
    assert len(set(origins)) == len(origins)
    for event_id, entry in chosen.send.items():
        assert entry.attempt == max(one.attempt for one in letters if one.offset == entry.origin[2]
                                    and (one.topic, one.partition) == entry.origin[:2])  # fmt: skip
        assert again or event_id not in marks
        assert entry.origin[0] == "market.ticks"
        assert entry.origin[1] < TICKS.partitions
        assert not entry.cut
    once = plan(survey(letters, {**marks, **{at: mark(LETTER) for at in chosen.send}}), RETURNS)
    assert once.send == {}, "after it was sent, nothing is left to send"


def test_a_letter_that_failed_again_is_stood_for_by_the_later_one_even_where_that_is_not_wanted() -> None:
    """Sent by the earlier letter, the record would be at an attempt that it has had already."""
    first = named(LETTER)
    second = named(replace(first, attempt=2, reason="another"))
    found = survey([first, second], {first.event_id: mark(first)}, Wanted(reason="no price"))
    (entry,) = found.entries.values()
    assert found.standing(entry) is Standing.FAILED_AGAIN
    assert plan(found, RETURNS, again=True) == Plan(failed_again=1)
    both = survey([first, second], {first.event_id: mark(first)})
    assert set(plan(both, RETURNS).send) == {second.event_id}


def test_how_often_a_letter_was_sent_is_remembered_with_the_choice() -> None:
    """Another command that sends it meanwhile is noticed by it."""
    letter = named(LETTER)
    chosen = plan(survey([letter], {letter.event_id: mark(letter, 3)}), RETURNS, again=True)
    assert chosen.times == {letter.event_id: 3}


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=50), max_size=20), st.randoms())
def test_a_spool_gives_back_what_it_was_given_in_any_order(contents: dict[str, bytes], random: object) -> None:
    """Nothing is mixed up, however additions and reads alternate."""
    with Spool() as spool:
        for at, (name, content) in enumerate(contents.items()):
            spool.add(name, content)
            earlier = list(contents)[random.randint(0, at)]  # type: ignore[attr-defined]
            assert spool.read(earlier) == contents[earlier]
        assert len(spool) == len(contents)
        assert all(name in spool for name in contents)
        assert "absent" not in spool
