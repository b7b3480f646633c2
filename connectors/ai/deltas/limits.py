"""Every limit of deltas, with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.connectors.ai.forms.form import TEXT_BYTES


@dataclass(frozen=True, slots=True)
class DeltaLimits:
    """How much is written and kept, and how long Valkey is waited for."""

    delta_bytes: int = 16 * 1024
    """Of one delta; longer text is split. A token has some 4 bytes."""
    stream_bytes: int = TEXT_BYTES
    """Of one attempt: the longest answer that there is."""
    stream_deltas: int = 16_384
    """Of one attempt: 100 a second for almost 3 minutes. A longer answer comes whole at its end."""
    kept_deltas: int = 32_768
    """Of one request, over all attempts; Valkey drops older ones."""
    kept_s: float = 60.0
    """After the deadline of the call: a client that has lost its connection may come back."""
    waiting_bytes: int = 8 * 1024 * 1024
    """Of all answers together that wait to be written: some seconds of 1,000 answers."""
    write_deltas: int = 512
    """Deltas in one write: some 5 ms of Python."""
    gather_s: float = 0.01
    """Between two writes: deltas that come within this time share a write, and nobody sees the difference."""
    answer_s: float = 0.25
    """For Valkey to take a write. A server that takes longer is left alone."""
    pause_s: float = 1.0
    """How long a server that failed is left alone."""
    close_s: float = 0.5
    """For what waits at the end of the process."""
    followed: int = 4_096
    """Answers that one process follows; answers beyond come whole at their end."""
    lane: int = 128
    """Answers that share a connection: with `read_deltas` of 16 KiB each they are 32 MiB, and mostly some KB."""
    read_deltas: int = 16
    """Deltas of one answer that are read at once."""
    block_s: float = 1.0
    """How long Valkey holds a read that finds nothing."""
    unread_bytes: int = 1024 * 1024
    """Of an answer that its client has not taken. A slower client gets the rest at the end."""
