"""The contract between an agent and what runs it: claims that hold on Kafka and on the test kit alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import cast

import pytest
from runtime.records import CODEC, INGEST_MS, NO_PRICE

from contract.cases import (
    BROADCAST,
    BUG,
    CHAIN,
    CUT,
    GARBAGE,
    HEADERS,
    HELD,
    HELD_TICKS,
    LATEST,
    MANY,
    POISON,
    REDRIVEN,
    ROUTING,
    SIGNAL,
    SKIPPED,
    STREAM,
    SYMBOLS,
    TIME,
    TWO,
    UNCARRIED,
    UNDECODABLE,
    VALUED,
    VALUES,
    WAITING,
    WHOLE,
    WIDE,
)
from contract.processors import MARK, SWITCH, UNUSABLE, beat, tick
from contract.steps import Case, Seen, Sent
from tradewind.connectors.telemetry.trace_context import traceparent
from tradewind.processors.identity import derive_id
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.market import Bar, Heartbeat
from tradewind.schemas.runtime import DeadLetter
from tradewind.topics.partitioner import partition_of

Play = Callable[[Case], list[Seen]]


def letters(seen: Seen) -> list[DeadLetter]:
    """Return the dead letters by origin and attempt."""
    return [cast("DeadLetter", sent.event) for sent in seen.letters]


def of(symbol: str, events: list[Event]) -> list[Event]:
    """Return the events of one symbol."""
    return [event for event in events if event.symbol == symbol]  # type: ignore[attr-defined]


def of_time(symbol: str, sent: list[Sent]) -> list[int]:
    """Return the times of the heartbeats of one symbol, each once."""
    times = [one.event.ts_event for one in sent if one.event.symbol == symbol]  # type: ignore[attr-defined]
    return list(dict.fromkeys(times))


def outputs(seen: Seen) -> list[list[Sent]]:
    """Return what was sent to each output, in the order of their declaration."""
    return list(seen.sent.values())


class Contract:
    """Subclass it with a fixture `play` that returns what there is to see after each step of a case."""

    # Where records go

    def test_each_event_goes_to_every_output_that_carries_it(self, play: Play) -> None:
        """Whatever the number of partitions: each topic has its own."""
        late, copy = outputs(play(ROUTING)[-1])
        for sent in (late, copy):
            assert sorted(one.event.seq for one in sent) == [*range(60), 99]  # type: ignore[attr-defined]

    def test_a_record_lies_where_its_key_belongs(self, play: Play) -> None:
        """The topic's key, Java's murmur2; more than one partition is used."""
        for sent, partitions in zip(outputs(play(ROUTING)[-1]), (4, 3), strict=True):
            for one in sent:
                assert one.key == f"{one.event.symbol}.T".encode()  # type: ignore[attr-defined]
                assert one.partition == partition_of(one.key, partitions)
            assert len({one.partition for one in sent}) > 1

    def test_records_of_a_key_are_in_the_order_of_what_caused_them(self, play: Play) -> None:
        """Across batches too."""
        for sent in outputs(play(ROUTING)[-1]):
            events = [one.event for one in sent]
            for symbol in SYMBOLS:
                extra = [tick(99)] if symbol == "EURUSD" else []
                assert of(symbol, events) == [*of(symbol, [*MANY]), *extra]

    def test_what_is_passed_on_keeps_the_timestamp_of_its_record(self, play: Play) -> None:
        """Also where time goes backwards; nothing carries the time of its processing."""
        for sent in outputs(play(ROUTING)[-1]):
            found = {one.event.seq: one.timestamp - INGEST_MS for one in sent}  # type: ignore[attr-defined]
            assert found == {**{at: at for at in range(60)}, 99: -77}

    def test_an_event_of_a_chain_carries_a_trace_and_the_time_of_its_origin(self, play: Play) -> None:
        """The header derives from the event's ids, the time from the record's; headers given are left out."""
        (sent,) = outputs(play(CHAIN)[-1])
        requests = [one for one in sent if isinstance(one.event, OrderRequest)]
        assert len(requests) > 1
        for one in requests:
            request = cast("OrderRequest", one.event)
            assert request.correlation_id == SIGNAL.correlation_id
            assert one.headers == (("traceparent", traceparent(request)),)
            assert one.timestamp == request.ts_ingest // 1000 == INGEST_MS + 9

    def test_an_event_without_a_chain_carries_no_header(self, play: Play) -> None:
        """A heartbeat has its own time at which it came in."""
        (sent,) = outputs(play(CHAIN)[-1])
        (heartbeat, *others) = [one for one in sent if isinstance(one.event, Heartbeat)]
        assert (heartbeat.headers, heartbeat.timestamp) == ((), INGEST_MS + 5)
        assert {one.event for one in others} == {heartbeat.event}, "it goes to each partition of this topic"

    def test_a_broadcast_event_reaches_every_task_and_every_partition(self, play: Play) -> None:
        """Three tasks pass on what each got, to three partitions each."""
        (sent,) = outputs(play(BROADCAST)[-1])
        assert [one.partition for one in sent] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert {(one.event, one.key) for one in sent} == {(SWITCH, b"alpha/*")}

    def test_a_broadcast_input_may_have_more_partitions_than_the_agent_has_tasks(self, play: Play) -> None:
        """Two tasks read two of three partitions, before the ticks that were there beside the command."""
        first, last = play(WIDE)
        for seen, count in ((first, 6), (last, 12)):
            (sent,) = outputs(seen)
            assert sorted(one.event.seq for one in sent) == [MARK + at for at in range(count)]  # type: ignore[attr-defined]
        assert {at for at, _ in last.positions.items() if at[0] == "wide.risk.kill_switches"} == {
            ("wide.risk.kill_switches", 0),
            ("wide.risk.kill_switches", 1),
        }

    def test_a_task_that_waits_processes_nothing_but_broadcast_inputs(self, play: Play) -> None:
        """What came before the switch is processed after it."""
        first, last = play(WAITING)
        (none,), (sent,) = outputs(first), outputs(last)
        assert none == []
        assert sorted(one.event.seq for one in sent) == [MARK + at for at in range(12)]  # type: ignore[attr-defined]

    # State and batches

    def test_state_is_seen_by_the_next_batch(self, play: Play) -> None:
        """The sum goes on where the batch before left it."""
        _, sums = outputs(play(CUT)[-1])
        since = [event.seq for event in STREAM[11:] if event.symbol == "EURUSD" and event.bid != NO_PRICE]
        told = [one.event.ts_event for one in sums if one.event.symbol == "EURUSD"]  # type: ignore[attr-defined]
        assert told[-1] == sum(since)

    def test_what_was_deleted_is_gone(self, play: Play) -> None:
        """From `get`, from `keys`, and from what a restart restores."""
        states = play(CUT)[2].states
        assert sorted(key for values in states.values() for key in values) == ["sum/BTCUSD", "sum/XAUUSD"]

    def test_a_task_keeps_its_own_state(self, play: Play) -> None:
        """Each key is with the partition of its symbol."""
        for partition, values in play(CUT)[-1].states.items():
            for key in values:
                assert partition_of(f"{key.removeprefix('sum/')}.T".encode(), 2) == partition

    def test_batches_that_are_cut_anywhere_give_the_same(self, play: Play) -> None:
        """Outputs with all that their records carry, and state; dead letters but for the agent's name."""
        whole, cut = play(WHOLE)[-1], play(CUT)[-1]
        assert outputs(whole) == outputs(cut)
        assert whole.states == cut.states
        assert [(one.partition, one.offset) for one in letters(whole)] == [
            (one.partition, one.offset) for one in letters(cut)
        ]

    def test_the_position_is_after_what_was_processed(self, play: Play) -> None:
        """After each step; dead letters count as processed."""
        sizes = [3, 11, 12, 21, len(STREAM)]
        found = [
            sum(offset for (topic, _), offset in seen.positions.items() if topic == CUT.agent.inputs[0].name)
            for seen in play(CUT)
        ]
        assert found == sizes

    def test_a_first_start_at_the_latest_skips_what_was_there(self, play: Play) -> None:
        """And nothing that came after it."""
        before, after = play(LATEST)
        assert outputs(before) == [[], []]
        passed, _ = outputs(after)
        assert sorted(one.event.seq for one in passed) == list(range(20, 26))  # type: ignore[attr-defined]

    # Dead letters

    def test_a_poison_record_becomes_one_dead_letter_that_holds_it_whole(self, play: Play) -> None:
        """With its id, origin, reason, key, value, headers and timestamp."""
        partition = partition_of(b"EURUSD.T", 2)
        assert letters(play(POISON)[-1]) == [
            DeadLetter(
                event_id=derive_id("poison", "poison.market.ticks", partition, at),
                agent="poison",
                error="POISON",
                reason=f"no price in {at}",
                topic="poison.market.ticks",
                partition=partition,
                offset=at,
                ts_ingest=(INGEST_MS + at) * 1000,
                key=b"EURUSD.T",
                value=CODEC.encode(tick(at, bid=NO_PRICE)),
                headers=tuple({"key": key, "value": value} for key, value in HEADERS),
                attempt=1,
            )
            for at in (0, 3, 4, 9)
        ]

    def test_a_dead_letter_carries_the_origins_timestamp_and_its_coordinates_as_key(self, play: Play) -> None:
        """So that it dates from when its record came in."""
        for one, letter in zip(play(POISON)[-1].letters, letters(play(POISON)[-1]), strict=True):
            assert one.timestamp == INGEST_MS + letter.offset
            assert one.key == f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
            assert one.headers == ()

    def test_the_neighbours_of_poison_are_processed_as_if_it_had_not_been(self, play: Play) -> None:
        """State included: the poison record was added up before it was found out."""
        seen = play(POISON)[-1]
        good = [1, 2, 5, 6, 7, 8]
        passed, sums = outputs(seen)
        assert [one.event for one in passed] == [tick(at) for at in good]
        assert [one.timestamp for one in passed] == [INGEST_MS + at for at in good]
        assert [one.event.ts_event for one in sums] == [sum(good[: n + 1]) for n in range(6)]  # type: ignore[attr-defined]
        assert [value.ts_event for values in seen.states.values() for value in values.values()] == [sum(good)]  # type: ignore[attr-defined]

    @pytest.mark.parametrize("case", UNDECODABLE, ids=lambda case: case.agent.name)
    def test_what_is_no_event_of_the_topic_becomes_a_dead_letter_that_says_why(self, play: Play, case: Case) -> None:
        """No value, no frame, an unknown schema, cut, too long, an event of another topic; read by columns and rows."""
        found = letters(play(case)[-1])
        assert {letter.error for letter in found} == {"UNDECODABLE"}
        own = [letter for letter in found if letter.key is not None]
        assert [letter.offset for letter in own] == [2 * at + 1 for at in range(len(GARBAGE))]
        cut = 3
        values = [CODEC.encode(value) if isinstance(value, Event) else value for value in GARBAGE]
        values[cut] = (values[cut] or b"")[: 512 * 1024]
        assert [letter.value for letter in own] == values
        reasons = [letter.reason for letter in own]
        assert reasons[0] == "it has no value"
        assert reasons[cut].startswith("(value cut from 630000 bytes) ")
        assert "the registry has no schema" in reasons[4]
        assert "it is a Heartbeat" in reasons[-1]
        assert "carries Tick" in reasons[-1]

    @pytest.mark.parametrize("case", UNDECODABLE, ids=lambda case: case.agent.name)
    def test_the_neighbours_of_what_is_no_event_are_processed(self, play: Play, case: Case) -> None:
        """Each, in order."""
        passed, _ = outputs(play(case)[-1])
        assert [one.event for one in passed] == [tick(at) for at in range(len(GARBAGE) + 1)]

    @pytest.mark.parametrize("case", UNDECODABLE, ids=lambda case: case.agent.name)
    def test_equal_records_are_a_dead_letter_each(self, play: Play, case: Case) -> None:
        """Their ids derive from where they lay; these have no key."""
        one, other = (letter for letter in letters(play(case)[-1]) if letter.key is None)
        assert (one.value, one.headers, one.ts_ingest) == (other.value, other.headers, other.ts_ingest)
        assert one.event_id != other.event_id
        assert one.headers == tuple({"key": key, "value": value} for key, value in HEADERS)

    def test_a_redriven_record_is_processed_as_its_origin(self, play: Play) -> None:
        """It has its own time and key, and comes after what was processed meanwhile."""
        steps = play(REDRIVEN)
        assert [outputs(seen)[0] for seen in steps[:1]] == [[]]
        (passed,) = outputs(steps[2])
        assert [one.event.seq for one in passed] == [5, 0, 2, 4]  # type: ignore[attr-defined]
        assert [one.timestamp - INGEST_MS for one in passed] == [51, 0, 2, 40]

    def test_a_record_that_fails_again_is_another_dead_letter_of_the_same_origin(self, play: Play) -> None:
        """And only that one is sent back the next time."""
        steps = play(REDRIVEN)
        failed = [(one.offset, one.attempt, one.error) for one in letters(steps[2]) if one.attempt > 1]
        assert len(failed) == 3
        assert sorted(error for _, _, error in failed) == ["POISON", "POISON", "UNDECODABLE"]
        (passed,) = outputs(steps[4])
        assert sorted(one.event.seq for one in passed) == [0, 1, 2, 3, 4, 5]  # type: ignore[attr-defined]
        third = [one for one in letters(steps[4]) if one.attempt == 3]
        assert [one.value for one in third] == [b"garbage"]
        assert len({one.event_id for one in letters(steps[4])}) == len(letters(steps[4]))

    def test_what_cannot_be_computed_encoded_sent_or_kept_is_poison(self, play: Play) -> None:
        """One record each, with the error and what it is about; nothing that it caused is sent or kept."""
        given = {one.seq: one for one in (*VALUED, tick(60, bid=2.0), tick(61, bid=6.0))}
        told = {CODEC.decode(one.value or b"").seq: one for one in letters(play(VALUES)[-1])}  # type: ignore[attr-defined]
        assert told.keys() == {seq for seq, one in given.items() if one.bid in UNUSABLE}
        for seq, letter in told.items():
            assert letter.error == "POISON"
            assert letter.reason.startswith(UNUSABLE[given[seq].bid])

    def test_the_neighbours_of_what_cannot_be_computed_are_processed_as_if_it_had_not_been(self, play: Play) -> None:
        """Outputs and sums are those of the good records alone."""
        good = [one for one in (*VALUED, tick(62)) if one.bid not in UNUSABLE]
        passed, sums, alerts = outputs(play(VALUES)[-1])
        assert alerts == []
        for symbol in SYMBOLS[:3]:
            of_symbol = [one for one in good if one.symbol == symbol]
            assert of(symbol, [one.event for one in passed]) == of_symbol
            reached = [sum(one.seq for one in of_symbol[: at + 1] if one.seq != 13) for at in range(len(of_symbol))]
            forgot = [one.seq for one in of_symbol].index(13) if symbol == SYMBOLS[1] else None
            if forgot is None:
                assert of_time(symbol, sums) == reached

    # Bugs

    @pytest.mark.parametrize(
        ("case", "message"),
        [
            (
                BUG,
                r"agent bug on bug.market.ticks, partition \d, .*; nothing .* is committed: KeyError: .a bid of 7",
            ),
            (
                UNCARRIED,
                "is committed: agent uncarried: its processor returned a KillSwitch, which none of its outputs carries",
            ),
        ],
        ids=lambda of: of.agent.name if isinstance(of, Case) else "",
    )
    def test_a_bug_stops_the_agent_and_commits_nothing_of_the_batch(self, play: Play, case: Case, message: str) -> None:
        """No output, no state, no position, and no dead letter; the repaired agent meets the same records, once."""
        before, stopped, after = play(case)
        assert stopped.crash is not None
        assert re.search(message, stopped.crash)
        assert (stopped.sent, stopped.states, stopped.positions) == (before.sent, before.states, before.positions)
        assert stopped.letters == after.letters == []
        passed, sums, *_ = outputs(after)
        assert [one.event.seq for one in passed] == list(range(7))  # type: ignore[attr-defined]
        assert [one.event.ts_event for one in sums] == [0, 1, 3, 6, 10, 15, 21]  # type: ignore[attr-defined]

    def test_a_record_that_is_skipped_by_hand_is_a_dead_letter_and_the_others_are_processed(self, play: Play) -> None:
        """The agent goes on, as it is; state and outputs know nothing of the record."""
        before, stopped, after, later = play(SKIPPED)
        assert stopped.crash is not None
        assert (stopped.sent, stopped.positions) == (before.sent, before.positions)
        (letter,) = letters(after)
        assert (letter.error, letter.attempt) == ("POISON", 1)
        assert re.fullmatch(r"skipped by hand, by \S.* at \S+: it has seven", letter.reason)
        assert CODEC.decode(letter.value or b"") == tick(6, bid=7)
        passed, sums = outputs(later)
        assert [one.event.seq for one in passed] == [0, 1, 2, 3, 4, 5, 7, 8]  # type: ignore[attr-defined]
        assert [one.event.ts_event for one in sums] == [0, 1, 3, 6, 10, 15, 22, 30]  # type: ignore[attr-defined]

    # Several inputs, and time

    def test_inputs_share_the_state_of_their_task(self, play: Play) -> None:
        """What one input left is seen by the records of another."""
        _, sums = outputs(play(TWO)[-1])
        told = [one.event.ts_event for one in sums if one.event.symbol == "EURUSD"]  # type: ignore[attr-defined]
        whole = [sum(at for at in range(end + 1) if at != 13) for end in range(20) if end != 13]
        assert told[-1] == 5, "the ticks forgot the sum, the bars began anew"
        assert len(told) >= len(whole)

    def test_each_input_is_read_in_its_own_order(self, play: Play) -> None:
        """Whatever the order in which their batches come."""
        passed, _ = outputs(play(TWO)[0])
        for symbol, count in (("EURUSD", 20), ("XAUUSD", 9)):
            found = [one.event.seq for one in passed if one.event.symbol == symbol]  # type: ignore[attr-defined]
            assert found == list(range(count))

    def test_what_is_held_goes_by_time_and_in_its_own_order(self, play: Play) -> None:
        """A record that must wait holds up all behind it, of other instruments too; what goes stays in order."""
        released = [len(outputs(seen)[0]) for seen in play(HELD)]
        assert released == [0, 3, 4, 6, 7, 10]
        assert [one.event for one in outputs(play(HELD)[-1])[0]] == [*HELD_TICKS, tick(9, ts_event=60)]

    def test_what_is_held_is_not_committed(self, play: Play) -> None:
        """The position of the held input is at the first record that waits."""
        ticks, _ = (topic.name for topic in HELD.agent.inputs)
        assert [seen.positions[ticks, 0] for seen in play(HELD)] == [0, 3, 4, 7, 8, 11]

    def test_what_cannot_be_decoded_is_held_with_its_neighbours(self, play: Play) -> None:
        """It becomes a dead letter when its turn comes: nothing before it waits."""
        assert [len(seen.letters) for seen in play(HELD)] == [0, 0, 0, 1, 1, 1]

    def test_the_time_that_was_reached_does_not_go_back(self, play: Play) -> None:
        """An earlier heartbeat changes nothing; what releases is passed on as it comes."""
        beats = [one.event for one in outputs(play(HELD)[-1])[1]]
        assert beats == [
            beat(1_000, "BTCUSD"), beat(10), beat(35), beat(20), beat(0, "XAUUSD"), beat(50), beat(1_000),
        ]  # fmt: skip

    def test_heartbeats_move_time(self, play: Play) -> None:
        """Bars close at a tick or a heartbeat beyond their end, and at nothing else."""
        bars = [[one.event for one in outputs(seen)[0] if isinstance(one.event, Bar)] for seen in play(TIME)]
        assert [len(found) for found in bars] == [2, 3, 4]
        assert [bar.count for bar in bars[1] if bar.interval_s == 1] == [4, 4, 3]
        assert [bar.count for bar in bars[2] if bar.interval_s == 60] == [11]

    def test_what_comes_after_its_time_goes_where_the_processor_says(self, play: Play) -> None:
        """A late tick, whole, with the timestamp of its record."""
        (late,) = outputs(play(TIME)[-1])[1]
        assert (late.event, late.timestamp) == (tick(12, ts_event=2_000_000), INGEST_MS + 30)

    def test_events_that_were_made_column_by_column_have_the_same_keys_and_times(self, play: Play) -> None:
        """Bars come as tables."""
        for one in outputs(play(TIME)[-1])[0]:
            assert one.key == b"EURUSD.T"
            assert one.partition == partition_of(b"EURUSD.T", 2)
            assert one.timestamp == one.event.ts_ingest // 1000  # type: ignore[attr-defined]
