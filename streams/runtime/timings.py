"""The timeouts and intervals of a worker: one frozen value, which `run_agents` takes and passes on."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The timeouts and intervals of one worker, in seconds. Raises `ValueError` if they do not fit each other.

    Properties derive from the session, the transaction or `hung_s`, so they always fit these. Times that only shape
    throughput, such as the pause between two fetches, are constants of the modules that use them.
    """

    session_s: float = 10.0
    """After this, a dead or frozen worker loses its partitions. Brokers accept no less than
    `group.min.session.timeout.ms`, 6 s by default."""
    transaction_s: float = 10.0
    """After this, the broker aborts the transaction of a dead worker. Until then, its successor may have to wait."""
    hung_s: float = 60.0
    """After this without a sign of life, a worker leaves its group: its event loop or its transaction hangs."""
    attend_s: float = 1.0
    """Between two signs of life of a worker."""
    silence_s: float = 60.0
    """How long a restore waits for a broker that does not answer. In this time, pending transactions time out (some
    brokers check only every 10 s), and a killed broker is back (15 s)."""
    call_s: float = 2.0
    """Timeout of one call to a broker. Between calls, the worker notices the end of its lease."""
    read_s: float = 0.5
    """Timeout of one call that reads the changelog or the skips, for the same reason."""
    ask_again_s: float = 0.2
    """Pause before the worker asks again for offsets that a broker refused."""
    pause_s: float = 0.2
    """Pause after a failed transaction, doubled each time."""
    longest_pause_s: float = 15.0
    """The longest of these pauses. Eight failures with their pauses take about a minute."""
    slow_s: float = 2.0
    """If a batch takes longer, the next batch is smaller, so that a revocation need not wait long for a batch."""
    idle_position_s: float = 0.5
    """Delay before the worker commits a position that has only passed transaction markers."""
    stop_s: float = 15.0
    """Timeout for leaving the group."""
    take_s: float = 1.0
    """How long the fetching loop waits for a chunk before it checks whether to stop."""
    metadata_s: float = 5.0
    """Age of metadata at which the client asks again. A starting broker may not know the topics yet."""
    progress_s: float = 5.0
    """Between two log lines of a running restore."""
    beat_s: float = 1.0
    """Between two beats of the event loop, which `/live` looks at."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"timings: {field.name} is more than 0 s, not {getattr(self, field.name)!r}")
        self._at_most("transaction_s", self.transaction_s, "twice session_s", 2 * self.session_s)
        self._at_most("transaction_s", self.transaction_s, "half of silence_s", self.silence_s / 2)
        self._at_most("attend_s", self.attend_s, "a third of hung_s", self.hung_s / 3)
        self._at_most("pause_s", self.pause_s, "longest_pause_s", self.longest_pause_s)

    def _at_most(self, name: str, value: float, what: str, most: float) -> None:
        if value > most:
            raise ValueError(f"timings: {name} is at most {what}, {most:g} s, not {value:g}: {WHY[name]}")

    @property
    def heartbeat_s(self) -> float:
        """Between two heartbeats to the group: three fit into a session, as Kafka recommends."""
        return 0.3 * self.session_s

    @property
    def rebalance_s(self) -> float:
        """How long a rebalance waits for members: longer than `revoke_s` and `hurried_abort_s` together."""
        return 2 * self.session_s

    @property
    def revoke_s(self) -> float:
        """How long a revocation waits for the transaction in flight."""
        return self.session_s / 2

    @property
    def hurried_abort_s(self) -> float:
        """Timeout of an abort during a revocation. If it expires, the next producer aborts the transaction."""
        return self.session_s / 2

    @property
    def abort_s(self) -> float:
        """Timeout of any other abort: longer than a transaction, because the broker aborts by then."""
        return 1.5 * self.transaction_s

    @property
    def offsets_s(self) -> float:
        """Timeout for adding offsets to a transaction: longer than a transaction, which has ended by then."""
        return 1.2 * self.transaction_s

    @property
    def patience_s(self) -> float:
        """For a transaction with all its processing: less than `hung_s`, after which the worker leaves the group."""
        return 0.75 * self.hung_s

    @property
    def standing_s(self) -> float:
        """After this, `/live` reports that the event loop hangs: before the group expels the worker."""
        return self.hung_s / 2


WHY = {
    "transaction_s": "a successor would wait for a pending transaction long after it has the partitions, or give up "
    "before the broker ends it",
    "attend_s": "the group would expel a worker that lives",
    "pause_s": "pauses grow from it",
}
USUAL = Timings()
"""What workers have in service."""


def in_ms(seconds: float) -> int:
    """Return whole milliseconds, as Kafka's clients take them."""
    return round(1000 * seconds)
