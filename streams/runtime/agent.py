"""What an agent is: inputs, outputs, a pure function, and the topics that the runtime keeps for it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, cast

from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Migration, Processor
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.runtime import DeadLetter, JournalEntry, Redriven, StateSnapshot, TaskPosition
from tradewind.streams.runtime.errors import AgentMisdeclared, TopicsDiffer
from tradewind.topics import Topic
from tradewind.topics.topic import RETENTION_BYTES

BATCH_LIMIT = 20_000  # records of one transaction: 60 ms of work, so that its 5-10 ms of round trips weigh little
LONGEST_LATENCY_S = 10.0  # a sixth of the time after which a watchdog says that a partition does not move
POSITION_KEY = "@position"
REDRIVE_COMMAND = "dlq"  # of `tradewind`: what sends dead letters back
INSTRUMENT_FIELDS = {"symbol", "venue", "ts_event"}


@dataclass(frozen=True, slots=True)
class Hold:
    """An input that is held back until another has caught up, in event time, per instrument."""

    topic: Topic
    """The held input, such as ticks."""
    until: Topic
    """The input whose heartbeats release it, such as decisions."""
    lookahead_us: int
    """A record at ts_event u goes once `until` had a heartbeat of its instrument with ts_event >= u - lookahead_us."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A pure function between topics, run exactly once. Raises `AgentMisdeclared` where its parts do not fit."""

    name: str
    inputs: tuple[Topic, ...]
    """Equal partition counts: task p owns partition p of each."""
    outputs: tuple[Topic, ...]
    """An event goes to every output whose models contain its type."""
    processor: Processor
    hold: Hold | None = None
    first_start: Literal["earliest", "latest"] = "earliest"
    """Where inputs are read from when neither the group nor the changelog knows a position."""
    batch_limit: int = BATCH_LIMIT
    """Records after which a transaction takes no more. It may end above, but never with twice as many."""

    latency_s: float | None = None
    """How far apart transactions begin at least, unless an inbox is full: that long a record may wait for others to
    share its transaction. The first one after a pause waits for none. None: 10 ms for each task that the last
    transaction moved, up to 40 ms."""
    migrations: tuple[Migration, ...] = ()
    """What states of earlier versions go through, each once, in this order. One that was released stays, at its place:
    a state knows how many it has been through."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise AgentMisdeclared(f"agent {self.name}: it has no inputs")
        if len({topic.name for topic in self.inputs}) < len(self.inputs):
            raise AgentMisdeclared(f"agent {self.name}: an input is named twice")
        if len({topic.partitions for topic in self.inputs}) > 1:
            counts = ", ".join(f"{topic.name}: {topic.partitions}" for topic in self.inputs)
            raise AgentMisdeclared(f"agent {self.name}: inputs need equal partition counts, not {counts}")
        for topic in self.inputs:
            if topic.cleanup == "compact":
                raise AgentMisdeclared(
                    f"agent {self.name}: {topic.name} is compacted: records would go before they are processed, and "
                    "what was processed could not be run again. An input keeps all until its retention is over"
                )
        if self.batch_limit < 1:
            raise AgentMisdeclared(f"agent {self.name}: batch_limit is at least 1, not {self.batch_limit}")
        if self.latency_s is not None and not 0 <= self.latency_s <= LONGEST_LATENCY_S:
            raise AgentMisdeclared(
                f"agent {self.name}: latency_s is 0 to {LONGEST_LATENCY_S:.0f} s, not {self.latency_s:g}"
            )
        if self.hold is not None:
            _check_hold(self, self.hold)

    @property
    def partitions(self) -> int:
        """How many tasks the agent has over all workers."""
        return self.inputs[0].partitions

    def reading_order(self) -> tuple[Topic, ...]:
        """Return the inputs in the order in which a batch processes them: what releases first, what is held last."""
        if self.hold is None:
            return self.inputs
        between = [topic for topic in self.inputs if topic not in (self.hold.until, self.hold.topic)]
        return (self.hold.until, *between, self.hold.topic)


def _check_hold(agent: Agent, hold: Hold) -> None:
    if hold.topic not in agent.inputs or hold.until not in agent.inputs or hold.topic == hold.until:
        raise AgentMisdeclared(f"agent {agent.name}: hold.topic and hold.until are two of its inputs")
    if Heartbeat not in hold.until.models:
        raise AgentMisdeclared(
            f"agent {agent.name}: {hold.until.name} carries no heartbeats, so nothing would be released"
        )
    for model in hold.topic.models:
        if not {field.name for field in fields(cast("type", model))} >= INSTRUMENT_FIELDS:
            raise AgentMisdeclared(
                f"agent {agent.name}: {model.__name__} lacks symbol, venue or ts_event: it cannot be held"
            )


def changelog_topic(agent: Agent) -> Topic:
    """Return the topic that holds the agent's state: keys of states, each with its last value."""
    return Topic(
        name=f"{agent.name}.changelog",
        model=TaskPosition,
        key=_position_key,
        owner=agent.name,
        producers=(agent.name,),
        consumers=(agent.name,),
        partitions=agent.partitions,
        cleanup="compact",
    )


def dead_letter_topic(agent: Agent) -> Topic:
    """Return the topic of records that the agent could not process."""
    return Topic(
        name=f"{agent.name}.dlq",
        model=DeadLetter,
        key=_letter_key,
        owner=agent.name,
        producers=(agent.name,),
        consumers=(),
        partitions=agent.partitions,
    )


def redrive_topic(agent: Agent) -> Topic:
    """Return the topic of dead letters that are sent back to the agent: an input that its declaration does not name.

    It is read by this agent alone: sent to their origin again, the records would reach all its other consumers twice.
    """
    return replace(
        dead_letter_topic(agent),
        name=f"{agent.name}.redrive",
        producers=(REDRIVE_COMMAND,),
        consumers=(agent.name,),
        retention_bytes=agent.partitions
        * RETENTION_BYTES,  # all that the dead letters may be, of one partition's origin
    )


def redriven_topic(agent: Agent) -> Topic:
    """Return the topic that tells which dead letters were sent back, for those who would send them again."""
    return Topic(
        name=f"{agent.name}.redriven",
        model=Redriven,
        key=_letter_id,
        owner=agent.name,
        producers=(REDRIVE_COMMAND,),
        consumers=(REDRIVE_COMMAND,),
        partitions=1,
        cleanup="compact",
    )


def journal_topic(agent: Agent) -> Topic:
    """Return the topic that tells what the agent processed, in which order, with snapshots of its state."""
    return Topic(
        name=f"{agent.name}.journal",
        model=JournalEntry,
        also=(StateSnapshot,),
        key=_journal_key,
        owner=agent.name,
        producers=(agent.name,),
        consumers=(),
        partitions=agent.partitions,
    )


def agent_topics(agent: Agent) -> tuple[Topic, ...]:
    """Return the topics that the runtime needs for an agent besides its inputs and outputs."""
    return (
        changelog_topic(agent),
        dead_letter_topic(agent),
        redrive_topic(agent),
        redriven_topic(agent),
        journal_topic(agent),
    )


def check_topics(agent: Agent, settings: Settings) -> None:
    """Raise `TopicsDiffer` where the cluster lacks a topic of the agent, or has it with other partitions."""
    found = partition_counts(settings)
    for topic in (*agent.inputs, *agent.outputs, *agent_topics(agent)):
        count = found.get(settings.physical(topic))
        if count != topic.partitions:
            raise TopicsDiffer(
                f"agent {agent.name}: the cluster has {settings.physical(topic)} with {count or 'no'} partitions, "
                f"declared are {topic.partitions}. Create missing topics with `tradewind prepare`."
            )


def group_of(agent: Agent, settings: Settings) -> str:
    """Return the consumer group of an agent."""
    return settings.physical(f"tradewind.{agent.name}")


def _position_key(event: Event) -> str:
    if not isinstance(event, TaskPosition):
        raise TypeError(
            f"values of a changelog are keyed by their key in the state, not by their type {type(event).__name__}"
        )
    return POSITION_KEY


def _letter_key(event: Event) -> str:
    letter = cast("DeadLetter", event)
    return f"{letter.topic}/{letter.partition}/{letter.offset}"


def _letter_id(event: Event) -> str:
    return cast("Redriven", event).event_id


def _journal_key(event: Event) -> str:
    return str(cast("JournalEntry | StateSnapshot", event).sequence)
