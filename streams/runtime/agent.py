"""An agent: inputs, outputs, a pure function, and the topics that the runtime keeps for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal, cast

from tradewind.connectors.dead_letters import topic as dead_letters
from tradewind.connectors.dead_letters.skips import key_of_skip
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Migration, Processor, State
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import JournalEntry, Redriven, Skip, StateSnapshot, TaskPosition
from tradewind.streams.runtime.errors import AgentMisdeclared, TopicsDiffer
from tradewind.topics import Topic
from tradewind.topics.topic import MIB, RETENTION_BYTES

BATCH_LIMIT = 20_000  # records of one transaction: 60 ms of work, so that its 5-10 ms of round trips weigh little
STATE_BYTES = 16 * MIB  # of a task: what agents keep whose state does not grow with tenants
JOURNAL_STATES = 4  # in bytes, of what a journal keeps: two snapshots, and the entries from the first to the second
LONGEST_LATENCY_S = 10.0  # a sixth of the time after which a watchdog says that a partition does not move
POSITION_KEY = "@position"
REDRIVE_COMMAND = "dlq"  # of `tradewind`: what sends dead letters back


@dataclass(frozen=True, slots=True)
class Hold:
    """Makes the records of one input wait until another input has reached their event time, key by key."""

    topic: Topic
    """The held input, such as ticks."""
    until: Topic
    """The input whose time carriers release it, such as decisions."""
    lookahead_us: int
    """µs. A time carrier of the key on `until`, with ts_event >= u - lookahead_us, releases a record at u."""
    through: Topic | None = None
    """The input of the agent that sends `until`, if each of its partitions passes on the time carriers of every key. A
    carrier names its partition as `passed_by`, and the time of a key is the least that all partitions have passed on.
    None: the carriers of a key come by one way."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A pure function between topics, run exactly once. Raises `AgentMisdeclared` if its parts do not fit together."""

    name: str
    inputs: tuple[Topic, ...]
    """Topics with equal partition counts: task p reads partition p of each. A broadcast topic may have more partitions,
    because each of them has all records; a partition without a task is not read. A batch processes broadcast inputs
    first, the held input last, and the others in this order."""
    outputs: tuple[Topic, ...]
    """The runtime sends each event to every output whose models contain its type."""
    processor: Processor
    hold: Hold | None = None
    first_start: Literal["earliest", "latest"] = "earliest"
    """Where to begin in an input for which neither the group nor the changelog has a position."""
    batch_limit: int = BATCH_LIMIT
    """How many records a transaction takes. It may take more, but never twice as many."""

    latency_s: float | None = None
    """The shortest time between the beginnings of two transactions, s, unless an inbox is full. In this time, records
    gather for one transaction. The first record after a pause does not wait. None: 10 ms for each task of the last
    transaction, up to 40 ms."""
    migrations: tuple[Migration, ...] = ()
    """Functions that convert the state of earlier versions: each runs once for each task, in this order. A released
    migration stays at its place, because a state counts the migrations that it has been through."""

    state_bytes: int = STATE_BYTES
    """The largest state of a task that has snapshots, in bytes of keys and values. The journal of each task keeps four
    times as many bytes. A larger state is kept and restored as any other, but verified from its first inputs only."""
    waits: Callable[[State], str] | None = None
    """Returns the reason, in words, why a task must process broadcast inputs only, or an empty text. It is called with
    the state before each batch. Use it if a task cannot decide any record before some setting has arrived."""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise AgentMisdeclared(f"agent {self.name}: it has no inputs")
        if len({topic.name for topic in self.inputs}) < len(self.inputs):
            raise AgentMisdeclared(f"agent {self.name}: an input is named twice")
        if any(not _fits(topic, self.partitions) for topic in self.inputs):
            counts = ", ".join(f"{topic.name}: {topic.partitions}" for topic in self.inputs)
            raise AgentMisdeclared(
                f"agent {self.name}: inputs need equal partition counts, and broadcast ones as many or more, "
                f"not {counts}"
            )
        for topic in self.inputs:
            if topic.cleanup == "compact":
                raise AgentMisdeclared(
                    f"agent {self.name}: {topic.name} is compacted: it may lose records before they are processed, and "
                    'a replay could not run them again. Use an input with cleanup "delete"'
                )
        _check_least(self, "batch_limit", self.batch_limit)
        _check_least(self, "state_bytes", self.state_bytes)
        if self.latency_s is not None and not 0 <= self.latency_s <= LONGEST_LATENCY_S:
            raise AgentMisdeclared(
                f"agent {self.name}: latency_s is 0 to {LONGEST_LATENCY_S:.0f} s, not {self.latency_s:g}"
            )
        if self.waits is not None and not any(topic.broadcast for topic in self.inputs):
            raise AgentMisdeclared(f"agent {self.name}: `waits` needs a broadcast input that can end the wait")
        if self.hold is not None:
            _check_hold(self, self.hold)

    @property
    def partitions(self) -> int:
        """How many tasks the agent has over all workers."""
        owned = [topic.partitions for topic in self.inputs if not topic.broadcast]
        return min(owned or [topic.partitions for topic in self.inputs])

    def reading_order(self) -> tuple[Topic, ...]:
        """Return the inputs in the order in which a batch processes them: broadcast ones first, the held one last."""
        held = None if self.hold is None else self.hold.topic
        return tuple(sorted(self.inputs, key=lambda topic: (topic == held, not topic.broadcast)))


def _check_least(agent: Agent, field: str, value: int) -> None:
    if value < 1:
        raise AgentMisdeclared(f"agent {agent.name}: {field} is at least 1, not {value}")


def _fits(topic: Topic, tasks: int) -> bool:
    return topic.partitions == tasks or (topic.broadcast and topic.partitions > tasks)


def _check_hold(agent: Agent, hold: Hold) -> None:
    if hold.topic not in agent.inputs or hold.until not in agent.inputs or hold.topic == hold.until:
        raise AgentMisdeclared(f"agent {agent.name}: hold.topic and hold.until are two of its inputs")
    carrier = hold.until.time_carrier
    if carrier is None:
        raise AgentMisdeclared(
            f"agent {agent.name}: {hold.until.name} carries no event that tells the time, so nothing would be released"
        )
    if not hold.topic.key_columns or hold.topic.key_columns != hold.until.key_columns:
        raise AgentMisdeclared(
            f"agent {agent.name}: {hold.topic.name} and {hold.until.name} need the same key columns, so that one tells "
            "the time of the other's keys"
        )
    if hold.through is not None and "passed_by" not in {each.name for each in fields(cast("type", carrier))}:
        raise AgentMisdeclared(
            f"agent {agent.name}: a {carrier.__name__} lacks passed_by, and the hold must know which partition of "
            f"{hold.through.name} passed it on"
        )
    for model in hold.topic.models:
        known = {field.name for field in fields(cast("type", model))}
        if lacking := [name for name in (*hold.topic.key_columns, "ts_event") if name not in known]:
            raise AgentMisdeclared(f"agent {agent.name}: {model.__name__} lacks {lacking[0]}: it cannot be held")


def changelog_topic(agent: Agent) -> Topic:
    """Return the topic that holds the agent's state: the last value of each key."""
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
    return dead_letters.letter_topic(agent.name, agent.partitions)


def redrive_topic(agent: Agent) -> Topic:
    """Return the topic of dead letters that are sent back to the agent: an input that its declaration does not name.

    Only this agent reads the topic. On their original topic, the records would reach all other consumers twice.
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
    """Return the topic that records which dead letters were sent back, so that `redrive` sends each only once."""
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


def skips_topic(agent: Agent) -> Topic:
    """Return the topic of the records that the agent must skip. The agent reads it whenever it restores tasks.

    The topic is no input, because a worker that a record of its first batch would stop must know the skip before that
    batch. The transaction that skips a record also deletes the skip here.
    """
    return Topic(
        name=f"{agent.name}.skips",
        model=Skip,
        key=_skip_key,
        owner=agent.name,
        producers=(REDRIVE_COMMAND, agent.name),
        consumers=(agent.name, REDRIVE_COMMAND),
        partitions=1,
        cleanup="compact",
    )


def journal_topic(agent: Agent) -> Topic:
    """Return the topic that records what the agent processed, in order, with snapshots of its state."""
    return Topic(
        name=f"{agent.name}.journal",
        model=JournalEntry,
        also=(StateSnapshot,),
        key=_journal_key,
        owner=agent.name,
        producers=(agent.name,),
        consumers=(),
        partitions=agent.partitions,
        retention_bytes=max(RETENTION_BYTES, JOURNAL_STATES * agent.state_bytes),
    )


def agent_topics(agent: Agent) -> tuple[Topic, ...]:
    """Return the topics that the runtime needs for an agent, besides its inputs and outputs."""
    return (
        changelog_topic(agent),
        dead_letter_topic(agent),
        redrive_topic(agent),
        redriven_topic(agent),
        skips_topic(agent),
        journal_topic(agent),
    )


def check_topics(agent: Agent, settings: Settings) -> None:
    """Raise `TopicsDiffer` if the cluster lacks a topic of the agent, or has another number of its partitions."""
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


def _letter_id(event: Event) -> str:
    return cast("Redriven", event).event_id


def _skip_key(event: Event) -> str:
    skip = cast("Skip", event)
    return key_of_skip(skip.topic, skip.partition, skip.offset)


def _journal_key(event: Event) -> str:
    return str(cast("JournalEntry | StateSnapshot", event).sequence)
