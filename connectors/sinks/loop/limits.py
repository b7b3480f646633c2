"""Every limit of the sink loop, with its reason, and the pauses between tries."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken at once, how long it waits, and when what is slow is left alone."""

    batch_rows: int = 20_000
    """Rows of a write: where QuestDB and COPY are fastest; twice as many gain nothing and take twice the memory."""
    batch_bytes: int = 8 * 1024**2
    """Encoded bytes of a write: a batch and what it is turned into stay below some 50 MiB."""
    linger_s: float = 0.25
    """How long a row waits for others: the delay that a quiet partition adds."""
    taken_rows: int = 50_000
    """Rows in memory, those being written included: a batch in the store, one in the making, and room for a third."""
    taken_bytes: int = 32 * 1024**2
    """Encoded bytes in memory; a record's object takes some 300 bytes beside them."""
    consume_rows: int = 5_000
    """Records taken from the client at once: some 15 ms of Python."""
    poll_s: float = 0.05
    """How long the client is asked for records: what the first record of a quiet partition waits at most."""
    stall_s: float = 2.0
    """A store that frees no room for so long is slow: partitions are paused and the group is polled. Pausing throws
    away what the client has fetched, so it is not for the milliseconds between two writes."""
    stop_s: float = 3.0
    """How long a write in flight may go on at the end or at a revocation: below the 5 s in which a worker stops."""
    tend_s: float = 30.0
    """Between two calls of `tend`."""
    retry_first_s: float = 0.2
    retry_most_s: float = 15.0
    """Longest pause between two tries: a store that is back is used within seconds."""
    asked_most_s: float = 300.0
    """Longest pause that a store may ask for (`Retry-After`). InfluxDB Cloud asks for a minute; without a limit a
    proxy could silence the sink for ever."""
    notice_s: float = 0.1
    """How soon a pause between two tries notices a stop or a revocation."""
    session_s: float = 10.0
    """After this, the partitions of a killed sink are free."""
    answer_s: float = 2.0
    """For Kafka to tell offsets: it takes milliseconds, and a cluster that needs longer is asked again."""
    ask_again_s: float = 0.5
    """From an answer that did not come to the next question: the partitions that are read have a turn."""
    commit_every_s: float = 0.25
    """What a kill -9 makes the next process write again. Commits cost the broker, not the sink."""

    @property
    def heartbeat_s(self) -> float:
        """Between two heartbeats to the group: three fit into a session, as Kafka recommends."""
        return 0.3 * self.session_s


def pause_s(limits: Limits, attempt: int, random: Random) -> float:
    """Return the seconds to wait after try number `attempt`, the first being 1.

    They double, up to `retry_most_s`; up to half is taken off by chance, so that many sinks do not come back at once.
    """
    doubled = limits.retry_first_s * 2.0 ** min(attempt - 1, 30)
    return min(doubled, limits.retry_most_s) * (1 - random.random() / 2)
