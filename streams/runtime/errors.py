"""Why a worker stops. `run_agents` raises these errors after it has aborted the transaction in flight.

RuntimeStopped
├── AgentMisdeclared       the declaration of an agent contradicts itself
├── TopicsDiffer           the cluster lacks a topic of the agent, or has it with other partitions
├── AgentCrashed           a bug: a processor raised an error that is not of values, or returned an event without output
├── LeaseRefused           the group gave metadata that the broker would commit unchecked
├── PositionsDiffer        the group's offsets and the changelog contradict each other: somebody moved one of them
├── PositionsUnavailable   the broker did not report stable offsets in time
├── RecordsGone            an input no longer has the records that come next: retention was faster than the agent
├── StateUnavailable       the broker did not deliver the changelog's records in time
├── StateUnreadable        a record of the changelog is not a state, or the state does not match its digest
├── StateNewer             a newer version has written the state, and this version would lose its new fields
└── TransactionsFail       several transactions in a row failed
"""

from __future__ import annotations


class RuntimeStopped(RuntimeError):
    """A worker cannot continue. The message says what happened, where, and what to do."""


class AgentMisdeclared(RuntimeStopped):
    """The declaration of an agent contradicts itself."""


class TopicsDiffer(RuntimeStopped):
    """The cluster lacks a topic of the agent, or has it with other partitions than declared."""


class AgentCrashed(RuntimeStopped):
    """A bug. Nothing of the batch is committed, and a restarted worker meets the same records."""


class LeaseRefused(RuntimeStopped):
    """The group gave metadata that the broker would commit unchecked."""


class PositionsDiffer(RuntimeStopped):
    """The group's offsets and the changelog contradict each other."""


class PositionsUnavailable(RuntimeStopped):
    """The broker did not report stable offsets in time."""


class RecordsGone(RuntimeStopped):
    """An input no longer has the next records. Without them, the worker would lose records silently."""


class StateUnavailable(RuntimeStopped):
    """The broker did not deliver the changelog's records in time."""


class StateUnreadable(RuntimeStopped):
    """A record of the changelog is not a state, or the state does not match its digest."""


class StateNewer(RuntimeStopped):
    """A newer version has written the state. This version would write it back without the new fields."""


class TransactionsFail(RuntimeStopped):
    """Several transactions in a row failed."""


class Superseded(Exception):
    """The lease has ended meanwhile. The next lease says where to continue. Never leaves the runtime."""


class SchemaUnavailable(Exception):
    """The registry did not return a schema. The batch is repeated. Never leaves the runtime."""


class StartsUncommitted(Exception):
    """The transaction of a task's first offsets failed, and is repeated. Never leaves the runtime."""
