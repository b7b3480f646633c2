"""What a command leads to, and who writes that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tradewind.connectors.gateway.commands.asked import Answer
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.schemas.event import Event
from tradewind.topics import Topic


@dataclass(frozen=True, slots=True)
class Made:
    """What a command leads to."""

    answer: Answer
    records: Sequence[tuple[Topic, Event]] = ()
    """Written in one transaction; none where an earlier attempt has written them."""
    after: Callable[[], None] | None = None
    """Done once they are durable, also where an earlier attempt has written them. It raises nothing."""


Decide = Callable[[Begun], Made]
"""Reads what is, and says what a command leads to; called in a thread. Raises `Problem` for a refusal."""


class InDoubt(RuntimeError):
    """Nobody has said whether the records are committed."""


class Writes(Protocol):
    """Carries out commands, each at most once at a time."""

    def carried(self, begun: Begun, decide: Decide) -> Answer:
        """Decide and write; return once it is durable. For any thread.

        Raises what `decide` raises, `StreamError` where nothing was written, and `InDoubt`.
        """
