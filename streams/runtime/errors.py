"""Why a worker stops. All are raised out of `run_agents`; the transaction in flight is aborted before.

RuntimeStopped
├── AgentMisdeclared       the declaration of an agent contradicts itself
├── TopicsDiffer           the cluster lacks a topic of the agent, or has it with other partitions
├── AgentCrashed           a bug: a processor raised, or returned what no output carries; its batch is not committed
├── LeaseRefused           the group gave metadata that the broker would commit unchecked
├── PositionsDiffer        the group's offsets and the changelog contradict each other: somebody moved one of them
├── PositionsUnavailable   the broker did not tell stable offsets in time
├── RecordsGone            an input no longer has the records that come next: retention was faster than the agent
├── StateUnavailable       the broker did not give the changelog's records in time
├── StateUnreadable        a record of the changelog is no state
├── StateNewer             a newer version has had the task: this one would lose what it does not know
└── TransactionsFail       transactions failed again and again for a reason that waiting does not cure
"""

from __future__ import annotations


class RuntimeStopped(RuntimeError):
    """A worker cannot go on; the message says what, where and what to do."""


class AgentMisdeclared(RuntimeStopped):
    """The declaration of an agent contradicts itself."""


class TopicsDiffer(RuntimeStopped):
    """The cluster lacks a topic of the agent, or has it with other partitions than declared."""


class AgentCrashed(RuntimeStopped):
    """A bug: nothing of the batch is committed, and starting again meets the same records."""


class LeaseRefused(RuntimeStopped):
    """The group gave metadata that the broker would commit unchecked."""


class PositionsDiffer(RuntimeStopped):
    """The group's offsets and the changelog contradict each other."""


class PositionsUnavailable(RuntimeStopped):
    """The broker did not tell stable offsets in time."""


class RecordsGone(RuntimeStopped):
    """An input no longer has the records that come next; going on without them would be a silent loss."""


class StateUnavailable(RuntimeStopped):
    """The broker did not give the changelog's records in time."""


class StateUnreadable(RuntimeStopped):
    """A record of the changelog is no state."""


class StateNewer(RuntimeStopped):
    """A newer version has written the state; this one would write it back without what it does not know."""


class TransactionsFail(RuntimeStopped):
    """Transactions failed again and again for a reason that waiting does not cure."""


class Superseded(Exception):
    """Work for a lease that has ended meanwhile; the next lease says where to go on. Never leaves the runtime."""


class SchemaUnavailable(Exception):
    """A schema could not be asked for: the batch is tried again. Never leaves the runtime."""


class StartsUncommitted(Exception):
    """The transaction of a task's first offsets failed: it is tried again. Never leaves the runtime."""
