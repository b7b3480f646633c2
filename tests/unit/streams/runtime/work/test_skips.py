"""What a person tells an agent to pass over: known before its first batch, a dead letter once, and done again equal."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from contract.processors import beat, tick
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import CODEC, NOWHERE, chunk

from tradewind.connectors.dead_letters.skips import digest_of_record
from tradewind.processors.batch import Segment, State, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.runtime import DeadLetter, JournalEntry
from tradewind.streams.runtime import Agent, AgentCrashed, Hold
from tradewind.streams.runtime.agent import journal_topic, redrive_topic, skips_topic
from tradewind.streams.runtime.commit.journal import TaskJournal
from tradewind.streams.runtime.commit.outbox import Draft, Patience
from tradewind.streams.runtime.work.agent_work import AgentWork
from tradewind.streams.runtime.work.encoded_state import EncodedState
from tradewind.streams.runtime.work.skips import PassedOver, cut_around
from tradewind.streams.runtime.work.state import TaskState
from tradewind.streams.runtime.work.task import Task
from tradewind.testing import MemoryAgent
from tradewind.topics import DECISIONS, LATE_TICKS, TICKS

ONE = replace(TICKS, partitions=1)
UNTIL = replace(DECISIONS, partitions=1)


def stumbling(state: State, segment: Segment) -> list[Event]:
    """Pass ticks on, and remember the last; a bid of 7 is a bug."""
    sent: list[Event] = []
    for event in rows_of(segment).events:
        if isinstance(event, Heartbeat):
            continue
        assert isinstance(event, Tick)
        state.put("last", event)
        if event.bid == 7:
            raise KeyError("seven")
        sent.append(event)
    return sent


AGENT = Agent("stumbling", (ONE,), (replace(LATE_TICKS, partitions=1),), stumbling)


def stopped(bad: int = 40, agent: Agent = AGENT) -> MemoryAgent:
    """Return an agent that has stopped at a record among fifty."""
    kit = MemoryAgent(agent)
    kit.broker.publish(ONE, *(tick(at, bid=7 if at == bad else 1) for at in range(50)))
    with pytest.raises(AgentCrashed, match=rf"offset {bad}; .*: tradewind dlq skip stumbling market.ticks 0 {bad}$"):
        kit.run()
    return kit


def seqs(events: Sequence[Event]) -> list[int]:
    """Return the sequences of ticks."""
    return [event.seq for event in events if isinstance(event, Tick)]


@pytest.mark.parametrize("bad", [0, 3, 40, 49])
def test_an_agent_that_has_stopped_goes_on_after_a_skip(bad: int) -> None:
    """Wherever in its batch the record is, which is its first one."""
    kit = stopped(bad)
    kit.skip(ONE, 0, bad, "known bug")
    assert seqs(kit.run()) == [at for at in range(50) if at != bad]
    (letter,) = kit.dead_letters()
    assert (letter.offset, letter.error, letter.attempt) == (bad, "POISON", 1)
    assert letter.reason.startswith("skipped by hand, by a test at ")
    assert letter.reason.endswith(": known bug")
    assert seqs(list(kit.state().values())) == [48 if bad == 49 else 49]


def test_a_skip_is_deleted_in_the_transaction_that_passes_its_record() -> None:
    """So what is on the topic is what is still ahead."""
    kit = stopped()
    kit.skip(ONE, 0, 40)
    kit.run()
    said, deleted = kit.broker.records(skips_topic(AGENT))
    assert (said.key, deleted.key, deleted.value) == (b"market.ticks/0/40", b"market.ticks/0/40", None)


def test_what_was_skipped_is_redriven_after_the_repair() -> None:
    """And is skipped again, as its next attempt, where it was not repaired at all."""
    kit = stopped()
    kit.skip(ONE, 0, 40, "first")
    kit.run()
    assert kit.redrive() == 1
    with pytest.raises(AgentCrashed, match=r"offset 40 \(redriven\); .*dlq skip stumbling stumbling.redrive 0 0$"):
        kit.run()
    kit.skip(redrive_topic(AGENT), 0, 0, "second")
    kit.run()
    assert [(one.topic, one.offset, one.attempt, one.reason[-6:]) for one in kit.dead_letters()] == [
        ("market.ticks", 40, 1, " first"),
        ("market.ticks", 40, 2, "second"),
    ]
    assert kit.redrive() == 1
    repaired = MemoryAgent(replace(AGENT, processor=lambda state, segment: rows_of(segment).events), kit.broker)
    assert seqs(repaired.run()) == [40]


def test_a_skip_of_another_record_at_the_place_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A recreated topic has other records at the same offsets."""
    kit = stopped()
    kit.skip(ONE, 0, 39)
    log = kit.broker._logs["market.ticks", 0]
    log[39] = replace(log[39], value=CODEC.encode(tick(1_000)))
    with pytest.raises(AgentCrashed):
        kit.run()
    assert "partition 0, offset 39: another record than the one to skip is there" in caplog.text
    assert kit.dead_letters() == []


def test_a_skip_that_is_taken_back_or_unreadable_does_nothing() -> None:
    """Whoever writes garbage there stops nobody."""
    kit = stopped()
    kit.skip(ONE, 0, 40)
    kit.broker.append(skips_topic(AGENT), None, key=b"market.ticks/0/40", partition=0)
    kit.broker.append(skips_topic(AGENT), b"garbage", key=b"x", partition=0)
    with pytest.raises(AgentCrashed):
        kit.run()


def test_a_held_record_is_passed_over_when_its_turn_comes() -> None:
    """Its neighbours wait as before; garbage among them is a letter of its own."""
    kit = MemoryAgent(replace(AGENT, inputs=(ONE, UNTIL), hold=Hold(ONE, UNTIL, 0)))
    kit.broker.publish(ONE, *(tick(at, bid=7 if at == 2 else 1) for at in range(4)))
    kit.broker.append(ONE, b"garbage", key=b"k")
    kit.broker.publish(UNTIL, beat(2))
    with pytest.raises(AgentCrashed, match=r"dlq skip stumbling market.ticks 0 2$"):
        kit.run()
    kit.skip(ONE, 0, 2)
    assert seqs(kit.run()) == [0, 1]
    assert [letter.offset for letter in kit.dead_letters()] == [2]
    assert kit.positions()["market.ticks", 0] == 3
    kit.broker.publish(UNTIL, beat(3))
    assert seqs(kit.run()) == [3]
    assert [letter.offset for letter in kit.dead_letters()] == [2, 4]


def test_a_record_that_cannot_even_be_decoded_for_a_bug_is_named_and_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is passed over before anybody decodes it."""
    kit = MemoryAgent(AGENT)
    kit.broker.publish(ONE, *(tick(at) for at in range(20)))
    decode = kit.broker.codec.decode

    def too_deep(value: bytes) -> Event:
        found = decode(value)
        if isinstance(found, Tick) and found.seq == 12:
            raise RecursionError("too deep")
        return found

    with monkeypatch.context() as patched:
        patched.setattr(kit.broker.codec, "decode", too_deep)
        with pytest.raises(AgentCrashed, match=r"offset 12; .*decoding: RecursionError.*market.ticks 0 12$"):
            kit.run()
        kit.skip(ONE, 0, 12)
        assert len(kit.run()) == 19


def test_the_journal_says_what_was_skipped_and_a_rerun_does_it_again() -> None:
    """From the entry alone: the topic of skips has nothing any more."""
    kit = stopped()
    kit.skip(ONE, 0, 40, "known bug")
    kit.run()
    entry = kit.broker.events(journal_topic(AGENT))[-1]
    assert isinstance(entry, JournalEntry)
    (letter,) = kit.dead_letters()
    assert entry.by_hand == ({"topic": "market.ticks", "offset": 40, "reason": letter.reason},)
    assert [(of["error"], list(of["offsets"])) for of in entry.skipped] == [("POISON", [40])]  # type: ignore[arg-type]

    work = AgentWork(AGENT, NOWHERE, CODEC)
    task = Task(work, 0, TaskState(), {"market.ticks": 0}, TaskJournal(work.journal, 0, EncodedState()))
    task.by_hand = {"market.ticks": {40: PassedOver(letter.reason)}}
    draft = Draft()
    task.rerun([(ONE, chunk(TICKS, [tick(at, bid=7 if at == 40 else 1) for at in range(50)]))], draft, Patience(60))
    again = task.journal.entry
    assert again is not None
    assert (again.state_digest, again.by_hand, again.skipped) == (entry.state_digest, entry.by_hand, entry.skipped)
    (found,) = [CODEC.decode(out.value or b"") for out in draft.messages if out.topic == "t.stumbling.dlq"]
    assert isinstance(found, DeadLetter)
    assert (found.event_id, found.reason) == (letter.event_id, letter.reason)


@given(st.integers(0, 30), st.sets(st.integers(0, 35)), st.integers(0, 3), st.sets(st.integers(0, 29)))
def test_a_chunk_that_is_cut_around_skips_is_whole(count: int, wanted: set[int], markers: int, gone: set[int]) -> None:
    """Every record is in one part, parts follow on each other, and only what is there is passed over."""
    whole = chunk(TICKS, [tick(at) for at in range(count)])
    kept = whole.records.without([at for at in gone if at < count])  # markers of transactions have offsets too
    whole = replace(whole, records=kept, next=count + markers)
    parts = list(cut_around(whole, {at: PassedOver("") for at in wanted}))
    offsets = [offset for part, _ in parts for offset in part.records.offsets.tolist()]
    assert offsets == kept.offsets.tolist()
    assert [part.records.offsets.tolist() for part, told in parts if told] == [[at] for at in offsets if at in wanted]
    assert [part.next for part, _ in parts] == sorted(part.next for part, _ in parts)
    assert (parts[-1][0].next if parts else whole.start) == whole.next


def test_a_record_is_known_by_all_that_it_is() -> None:
    """Time, key and value, each none or empty or moved into another."""
    some = [
        (1, b"k", b"v"), (2, b"k", b"v"), (1, b"kv", b""), (1, b"", b"kv"), (1, None, b"v"), (1, b"-", b"v"),
        (1, b"k", None), (1, b"k", b"-"),
    ]  # fmt: skip
    assert len({digest_of_record(*one) for one in some}) == len(some)
