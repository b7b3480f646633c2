"""An agent that contradicts itself is refused when it is declared, not when it runs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import NOWHERE, chunk, tick

from tradewind.connectors.settings import WatchdogSettings
from tradewind.processors.batch import Processor
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.streams.runtime import Agent, AgentMisdeclared, Hold, agent_topics, group_of
from tradewind.streams.runtime import agent as agent_module
from tradewind.streams.runtime.agent import LONGEST_LATENCY_S, check_topics
from tradewind.streams.runtime.errors import TopicsDiffer
from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS
from tradewind.streams.runtime.read.inbox import INBOX_CHUNKS, RETAINED_RECORDS, Inbox
from tradewind.topics import BARS, DECISIONS, FILLS, KILL_SWITCHES, ORDER_EVENTS, POSITIONS, TICKS, Topic

NOTHING: Processor = lambda state, segment: []  # noqa: E731 - the smallest processor
HOLD = Hold(topic=TICKS, until=DECISIONS, lookahead_us=1)


def agent(*inputs: Topic, hold: Hold | None = None, batch_limit: int = 1, latency_s: float = 0.0) -> Agent:
    """Return an agent of some inputs."""
    return Agent("a", inputs, (), NOTHING, hold, batch_limit=batch_limit, latency_s=latency_s)


def test_a_broadcast_input_may_have_more_partitions_than_there_are_tasks() -> None:
    """Each of them has all records; the other inputs say how many tasks there are."""
    wide = replace(KILL_SWITCHES, partitions=7)
    assert agent(wide, TICKS).partitions == agent(TICKS, wide).partitions == TICKS.partitions
    assert agent(wide, replace(KILL_SWITCHES, name="other")).partitions == KILL_SWITCHES.partitions


def test_topics_and_group_derive_from_the_name() -> None:
    """The changelog is compacted and has a partition for each task; dead letters and the journal are kept beside it."""
    changelog, letters, redrive, redriven, skips, journal = agent_topics(agent(TICKS))
    assert (changelog.name, changelog.cleanup, changelog.partitions) == ("a.changelog", "compact", TICKS.partitions)
    assert (letters.name, letters.cleanup, letters.partitions) == ("a.dlq", "delete", TICKS.partitions)
    assert (redrive.name, redrive.cleanup, redrive.partitions) == ("a.redrive", "delete", TICKS.partitions)
    assert redrive.retention_bytes >= letters.retention_bytes * letters.partitions, "no letter is lost on its way back"
    assert (redriven.name, redriven.cleanup, redriven.partitions) == ("a.redriven", "compact", 1)
    assert (skips.name, skips.cleanup, skips.partitions) == ("a.skips", "compact", 1)
    assert (journal.name, journal.cleanup, journal.partitions) == ("a.journal", "delete", TICKS.partitions)
    assert group_of(agent(TICKS), NOWHERE) == "t.tradewind.a"


@pytest.mark.parametrize(
    ("inputs", "hold", "message"),
    [
        ((), None, "no inputs"),
        ((TICKS, TICKS), None, "named twice"),
        ((TICKS, replace(BARS, partitions=2)), None, "equal partition counts"),
        ((TICKS, replace(KILL_SWITCHES, partitions=2)), None, "broadcast ones as many or more"),
        ((TICKS, POSITIONS), None, "portfolio.positions is compacted"),
        ((TICKS,), HOLD, "two of its inputs"),
        ((TICKS, DECISIONS), Hold(TICKS, TICKS, 1), "two of its inputs"),
        (
            (TICKS, replace(DECISIONS, key_columns=("symbol",))),
            Hold(TICKS, replace(DECISIONS, key_columns=("symbol",)), 1),
            "need the same key columns",
        ),
        ((TICKS, FILLS), Hold(TICKS, FILLS, 1), "carries no event that tells the time"),
        (
            (TICKS, replace(DECISIONS, model=Tick, time_carrier=Tick)),
            Hold(TICKS, replace(DECISIONS, model=Tick, time_carrier=Tick), 1, through=ORDER_EVENTS),
            "a Tick lacks passed_by",
        ),
        (
            (DECISIONS, replace(ORDER_EVENTS, model=Heartbeat)),
            Hold(DECISIONS, ORDER_EVENTS, 1),
            "carries no event that tells the time",
        ),
    ],
)
def test_contradictions_are_refused(inputs: tuple[Topic, ...], hold: Hold | None, message: str) -> None:
    """Each message names the agent and what does not fit."""
    if message == "carries no event that tells the time" and Heartbeat in inputs[1].models:
        inputs = (inputs[0], replace(inputs[1], model=FILLS.model))
        hold = Hold(inputs[0], inputs[1], 1)
    with pytest.raises(AgentMisdeclared, match=f"agent a: .*{message}"):
        agent(*inputs, hold=hold)


def test_a_batch_has_room_for_a_record() -> None:
    """A limit of none would stop the agent without a word."""
    with pytest.raises(AgentMisdeclared, match="batch_limit"):
        agent(TICKS, batch_limit=0)


@pytest.mark.parametrize("missing", ["all", 1, -1])
@pytest.mark.parametrize(
    "name", ["market.ticks", "market.bars", "a.changelog", "a.dlq", "a.redrive", "a.redriven", "a.journal"]
)
def test_a_topic_that_is_not_as_declared_keeps_the_agent_from_starting(
    monkeypatch: pytest.MonkeyPatch, name: str, missing: int | str
) -> None:
    """Missing, with fewer partitions or with more: keys would lie elsewhere than the tasks look for them."""
    declared = Agent("a", (TICKS,), (BARS,), NOTHING)
    topics = (TICKS, BARS, *agent_topics(declared))
    found = {NOWHERE.physical(topic): topic.partitions for topic in topics}
    monkeypatch.setattr(agent_module, "partition_counts", lambda settings: found)
    check_topics(declared, NOWHERE)
    partitions = found.pop(f"t.{name}")
    if isinstance(missing, int):
        found[f"t.{name}"] = partitions - missing
    told = found.get(f"t.{name}", 0) or "no"
    with pytest.raises(TopicsDiffer, match=rf"agent a: the cluster has t\.{name} with {told} partitions, declared are"):
        check_topics(declared, NOWHERE)


def test_inputs_are_read_as_declared_and_what_is_held_last() -> None:
    """So an agent says what it has to know before it decides."""
    assert agent(TICKS, DECISIONS, hold=HOLD).reading_order() == (DECISIONS, TICKS)
    assert agent(TICKS, BARS, DECISIONS, hold=HOLD).reading_order() == (BARS, DECISIONS, TICKS)
    assert agent(BARS, TICKS).reading_order() == (BARS, TICKS)


def test_an_inbox_asks_for_no_more_than_it_has_room_for() -> None:
    """By records, by chunks for large records, and where it retains, by what was taken and not given back."""
    inbox = Inbox(retains=False)
    while inbox.has_room:
        inbox.put(chunk(TICKS, [tick(1)] * 10))
    assert len(inbox) == INBOX_CHUNKS
    retaining = Inbox(retains=True)
    retaining.put(chunk(TICKS, [b""] * RETAINED_RECORDS))
    retaining.take(CHUNK_RECORDS)
    assert not retaining.has_room
    retaining.free(1)
    assert retaining.has_room


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.lists(st.integers(1, 12), min_size=40, max_size=40))
def test_an_inbox_gives_no_more_than_is_asked_for_and_loses_nothing(counts: list[int], limits: list[int]) -> None:
    """A chunk that is larger is cut, and positions lead from each part to the next."""
    inbox, at = Inbox(retains=False), 0
    for count in counts:
        inbox.put(chunk(TICKS, [b"%d" % number for number in range(count)], at))
        at += count
    position, given_out = 0, []
    for limit in limits:
        if len(inbox):
            taken = inbox.take(limit)
            assert (taken.start, len(taken.records) <= limit) == (position, True)
            position = taken.next
            given_out += taken.records.offsets.tolist()
    assert (position, len(inbox), inbox.records) == (at, 0, 0)
    assert given_out == list(range(at))


def test_a_latency_is_far_less_than_what_a_watchdog_waits() -> None:
    """A partition that does not move for a minute is called stuck."""
    assert WatchdogSettings().position_s / 6 >= LONGEST_LATENCY_S
    for wrong in (-0.1, 10.1, float("nan")):
        with pytest.raises(AgentMisdeclared, match="latency_s"):
            agent(TICKS, latency_s=wrong)
