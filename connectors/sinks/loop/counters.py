"""What a sink has done so far, for telemetry and for tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process. Each is raised by one thread only."""

    taken: int = 0
    """Records taken from Kafka."""
    written: int = 0
    """Events that the store has confirmed."""
    batches: int = 0
    """Writes that the store has confirmed."""
    retries: int = 0
    """Tries that failed and were repeated."""
    undecodable: int = 0
    """Records that no schema fits; they are in the dead letters."""
    poison: int = 0
    """Events that the store refused; they are in the dead letters."""
    fenced: int = 0
    """Batches dropped because another process owns the partition."""
    dropped: int = 0
    """Records taken and neither written nor committed at a revocation or a stop; whoever comes next has them again."""
    repeated: int = 0
    """Records from before the position that the client delivered all the same; they are left out."""
    lost: int = 0
    """Offsets that the topic's retention removed before they were taken."""
    stalls: int = 0
    """How often partitions were paused because the store was slow."""
