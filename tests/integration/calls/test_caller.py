"""A caller on a real Kafka: killed, frozen, stopped and joined by others, it sends no call twice and loses few."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from calls.calling import CALLER, PATIENCE_S, Calling, call, calling, counted
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient
from processes.forking import Forked

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.kafka import consume
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.orders import POINTS
from tradewind.schemas.runtime import DeadLetter

SLOW = "600"
"""Seconds that the provider takes for a call that is in flight when its caller ends."""
WAITING = 50
ANSWER_S = 20
STOPPED_S = 60
"""For a caller to end on a busy machine: it waits neither for the call of `SLOW` seconds nor for the one of an hour."""


@pytest.fixture
def given(settings: Settings, tmp_path: Path) -> Iterator[Calling]:
    """Give a namespace with callers of short sessions."""
    with calling(settings, tmp_path) as found:
        yield found


def test_each_call_has_one_attempt_whose_ids_follow_from_it(given: Calling) -> None:
    """Also where a record between them is no call, and where one has expired before it is seen."""
    calls = [call(model="0.1", adapter="logged") for _ in range(20)]
    papers = [call(), call(tenant_id="beta")]
    late = call(deadline=clock_us() - 1)
    given.order(*calls[:10])
    given.order_bytes(b"hello")
    given.order(*calls[10:], *papers, late)
    given.start()
    every = [*calls, *papers, late]
    given.until(lambda: len(given.attempts()) == len(every), "an attempt of each call")
    assert counted(given.outcomes(*every)) == {"OK": 22, "EXPIRED": 1}
    assert sorted(given.sent()) == sorted(one.call_id for one in calls)
    attempts = {attempt.call_id: attempt for attempt in given.attempts()}
    for one in every:
        attempt = attempts[one.call_id]
        assert (attempt.causation_id, attempt.correlation_id) == (one.call_id, one.correlation_id)
        assert attempt.tenant_id == one.tenant_id
    assert attempts[papers[0].call_id].text == attempts[papers[1].call_id].text
    (letter,) = letters(given)
    assert (letter.error, letter.value) == ("UNDECODABLE", b"hello")


def letters(given: Calling) -> list[DeadLetter]:
    """Return the dead letters of the callers. One that was sent again has the same id, and is no second letter."""
    found = consume(letter_topic("caller-ai"), settings=given.settings)
    return list({one.event.event_id: one.event for one in found if isinstance(one.event, DeadLetter)}.values())


def test_a_killed_caller_loses_what_was_in_flight_and_nothing_that_waited(given: Calling) -> None:
    """Its successor reports the calls in flight, sends none of them again, and sends those that waited."""
    done = [call(model="0", adapter="logged") for _ in range(10)]
    first = given.start()
    given.order(*done)
    given.until(lambda: len(given.attempts()) == 10, "the caller performs calls")
    flying = [call(model=SLOW, adapter="logged") for _ in range(10)]
    soon = clock_us() + 6_000_000  # a caller may take longer to start, and what waits is to be unsent when it is killed
    waiting = [call(model="0", adapter="logged", not_before=soon) for _ in range(WAITING)]
    given.order(*flying, *waiting)
    given.until(lambda: len(given.sent()) == 20 and len(given.attempts()) == 10, "calls in flight")
    first.kill()
    given.start()
    given.until(lambda: len(given.attempts()) == 70, "an attempt of each call")
    every = [*flying, *waiting, *done]
    outcomes = given.outcomes(*every)
    assert counted({one.call_id: outcomes[one.call_id] for one in flying}) == {"LOST": 10}
    assert counted({one.call_id: outcomes[one.call_id] for one in (*waiting, *done)}) == {"OK": 60}
    assert max(Counter(given.sent()).values()) == 1


def test_a_caller_that_dies_before_it_sends_or_before_it_publishes_loses_what_it_claimed(given: Calling) -> None:
    """One caller dies after its claim, and its successor after an answer; what they had not claimed is done."""
    unsent, answered = ([call(model="0", adapter="logged") for _ in range(10)] for _ in range(2))
    lost: list[set[str]] = []
    for calls, point in ((unsent, POINTS[1]), (answered, POINTS[3])):
        victim = given.start()
        given.orders.give(victim.pid, point, "kill")
        given.order(*calls)
        assert victim.wait(int(PATIENCE_S)) == -signal.SIGKILL
        seen = given.orders.seen(victim.pid)
        assert seen is not None
        assert seen.claimed
        lost.append(set(seen.claimed))
    given.start()
    given.until(lambda: len({one.call_id for one in given.attempts()}) == 20, "an attempt of each call")
    outcomes = given.outcomes(*unsent, *answered)
    assert {call_id for call_id, found in outcomes.items() if found == ["LOST"]} == lost[0] | lost[1]
    assert counted(outcomes)["OK"] == 20 - len(lost[0] | lost[1])
    assert not lost[0] & set(given.sent()), "what died before it sent was not sent by others"
    assert max(Counter(given.sent()).values()) == 1


def test_a_frozen_caller_ends_what_it_sent_and_claims_nothing_more(given: Calling) -> None:
    """Its successor has reported the calls as lost by then; their late attempts follow."""
    flying = [call(model="4", adapter="logged") for _ in range(5)]
    first = given.start()
    given.order(*flying)
    given.until(lambda: len(given.sent()) == 5, "calls in flight")
    first.send_signal(signal.SIGSTOP)
    given.start()
    given.until(lambda: len(given.attempts()) == 5, "what the successor says of them")
    assert counted(given.outcomes(*flying)) == {"LOST": 5}
    more = [call(model="0", adapter="logged") for _ in range(10)]
    given.order(*more)
    first.send_signal(signal.SIGCONT)
    given.until(lambda: len(given.attempts()) == 20, "late attempts, and those of new calls")
    outcomes = given.outcomes(*flying, *more)
    assert counted({one.call_id: outcomes[one.call_id] for one in flying}) == {"LOST OK": 5}
    assert counted({one.call_id: outcomes[one.call_id] for one in more}) == {"OK": 10}
    assert max(Counter(given.sent()).values()) == 1


def test_a_caller_that_is_told_to_stop_says_what_became_of_its_calls(given: Calling) -> None:
    """Calls that end in time have their attempts; what was cut is lost, without waiting for a successor."""
    calls = [call(model="0.8", adapter="logged"), call(model=SLOW, adapter="logged")]
    waiting = call(
        model="0", adapter="logged", not_before=clock_us() + 3_600_000_000, deadline=clock_us() + 7_200_000_000
    )
    first = given.start()
    given.order(*calls, waiting)
    given.until(lambda: len(given.sent()) == 2, "calls in flight")
    first.terminate()
    assert first.wait(STOPPED_S) == 0
    outcomes = given.outcomes(*calls, waiting)
    assert [outcomes[one.call_id] for one in (*calls, waiting)] == [["OK"], ["LOST"], []]


def stopped(given: Calling, caller: Forked) -> None:
    """Stop a caller, and wait for its group to be empty."""
    caller.terminate()
    assert caller.wait(STOPPED_S) == 0


def group_offsets(given: Calling) -> list[TopicPartition]:
    """Return what the group of the callers has committed."""
    admin = AdminClient(given.settings.librdkafka())
    asked = ConsumerGroupTopicPartitions(given.settings.physical(f"tradewind.{CALLER}"))
    (answer,) = admin.list_consumer_group_offsets([asked]).values()
    return [place for place in answer.result(ANSWER_S).topic_partitions if place.offset >= 0]


def altered(given: Calling, places: list[TopicPartition]) -> None:
    """Put the offsets of the group elsewhere."""
    asked = ConsumerGroupTopicPartitions(given.settings.physical(f"tradewind.{CALLER}"), places)
    admin = AdminClient(given.settings.librdkafka())  # held: its answers end with it
    for answer in admin.alter_consumer_group_offsets([asked]).values():
        answer.result(ANSWER_S)


def test_an_older_offset_of_the_group_is_not_believed(given: Calling) -> None:
    """A coordinator that loads twice tells one: the calls behind it would be sent again."""
    calls = [call(model="0", adapter="logged") for _ in range(10)]
    first = given.start()
    given.order(*calls[:5])
    given.until(lambda: len(given.attempts()) == 5, "some attempts")
    older = group_offsets(given)
    given.order(*calls[5:])
    given.until(lambda: len(given.attempts()) == 10, "an attempt of each call")
    stopped(given, first)
    newest = group_offsets(given)
    assert [place.offset for place in older] != [place.offset for place in newest]
    altered(given, older)
    given.start()
    given.until(lambda: "asking again" in given.logs(), "a caller that does not begin")
    time.sleep(1)
    assert len(given.sent()) == len(given.attempts()) == 10
    stopped(given, given.callers[-1])
    altered(given, newest)
    more = call(model="0", adapter="logged")
    given.start()
    given.order(more)
    given.until(lambda: len(given.attempts()) == 11, "the attempt of a new call")
    assert max(Counter(given.sent()).values()) == 1


@pytest.mark.long
def test_a_group_that_has_lost_its_offsets_goes_on_by_the_topic_of_claims(given: Calling) -> None:
    """As after a week without a caller: no call is sent again, and those that waited are sent."""
    calls = [call(model="0", adapter="logged") for _ in range(5)]
    first = given.start()
    given.order(*calls)
    given.until(lambda: len(given.attempts()) == 5, "an attempt of each call")
    stopped(given, first)
    group = given.settings.physical(f"tradewind.{CALLER}")
    admin = AdminClient(given.settings.librdkafka())  # held: its answers end with it
    (deleted,) = admin.delete_consumer_groups([group]).values()
    deleted.result(ANSWER_S)
    waiting = [call(model="0", adapter="logged") for _ in range(5)]
    given.order(*waiting)
    given.start()
    given.until(lambda: len(given.attempts()) == 10, "the attempts of calls that waited")
    assert counted(given.outcomes(*calls, *waiting)) == {"OK": 10}
    assert max(Counter(given.sent()).values()) == 1


@pytest.mark.long
def test_a_caller_that_joins_costs_no_call(given: Calling) -> None:
    """What ends within the handover is published under the old lease, or under the next one."""
    calls = [call(model="0.5", adapter="logged") for _ in range(40)]
    given.start()
    given.order(*calls[:20])
    given.until(lambda: len(given.sent()) >= 20, "calls in flight")
    given.start()
    given.order(*calls[20:])
    given.until(lambda: len(given.attempts()) >= 40, "an attempt of each call")
    assert counted(given.outcomes(*calls)) == {"OK": 40}
    assert max(Counter(given.sent()).values()) == 1
