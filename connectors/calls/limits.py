"""Every limit of a caller, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is in flight, how much waits in memory, and how long a caller waits for what."""

    in_flight: int = 512
    """Calls at the same time: 500 calls of a minute each are more than most keys of providers allow."""
    tenant_in_flight: int = 384
    """Of one tenant: a quarter of the slots is never taken by a single one."""
    step_endings: int = 64
    """Attempts in one transaction: 64 of the longest answers (512 KiB) are 32 MiB."""
    waiting_bytes: int = 64 * 1024**2
    """Encoded calls that wait in memory. Beyond it, partitions are read no further: 16,000 calls of 4 KiB."""
    backlog_records: int = 1_000
    """Records of one partition that are fetched and lie beyond its window, or beyond `waiting_bytes`."""
    poll_records: int = 500
    """Records taken from the client at once: some 10 ms of Python."""
    poll_s: float = 0.1
    """How long the client is asked for records: how soon a caller notices that it is told to stop."""
    idle_s: float = 0.5
    """Longest time between two looks at what is due, whatever the book says of the next one."""
    tidy_s: float = 1.0
    """Between two commits of offsets that hold no call: markers of transactions, which count as lag otherwise."""
    answer_s: float = 1.0
    """For Kafka to tell the positions: while a transaction of a dead caller is open, it is asked again."""
    settle_s: float = 20.0
    """How long the group and the topic of claims may differ before a group without an offset counts as expired: a
    coordinator that loads twice tells no offset for some seconds."""
    rejoin_s: float = 3.0
    """How long an attempt waits for the lease after a rebalance. Published without one, it is followed by `LOST`."""
    handover_s: float = 2.0
    """How long a caller that gives up its partitions lets calls in flight end: what has no attempt is `LOST` then."""
    stop_s: float = 2.0
    """How long calls in flight may go on at the end, within the 5 s in which a process stops."""
    publish_s: float = 1.5
    """After that, for the transaction that says what became of them."""
    pause_s: float = 0.2
    """After a transaction that the broker aborted, and before another producer is opened."""
    session_s: float = 10.0
    """After this, the partitions of a killed caller are free."""
    transaction_s: float = 10.0
    """What the broker grants a transaction: a successor waits as long for the claims of a caller that died in one."""

    @property
    def heartbeat_s(self) -> float:
        """Between two heartbeats to the group: three fit into a session, as Kafka recommends."""
        return 0.3 * self.session_s
