"""Which dead letters somebody wants: all conditions that are given hold."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.schemas.runtime import DeadLetter


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on a letter; None is no condition."""

    error: str | None = None
    """UNDECODABLE or POISON."""
    topic: str | None = None
    """Origin."""
    reason: str | None = None
    """A part of it, in any case."""
    since: int | None = None
    """µs: came in at this time or later."""
    until: int | None = None
    """µs: came in before this time."""
    partition: int | None = None
    """Origin."""
    offset: int | None = None
    """Origin."""

    def takes(self, letter: DeadLetter) -> bool:
        """Return whether every condition holds."""
        return (
            self.error in (None, letter.error)
            and self.topic in (None, letter.topic)
            and self.partition in (None, letter.partition)
            and self.offset in (None, letter.offset)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.since is None or letter.ts_ingest >= self.since)
            and (self.until is None or letter.ts_ingest < self.until)
        )


EVERY = Wanted()
