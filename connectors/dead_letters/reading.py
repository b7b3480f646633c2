"""Read dead letters, and the marks of those that were redriven."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from tradewind.connectors.dead_letters.owner import Owner
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.consumption import Record, Undecodable, consume
from tradewind.connectors.kafka.errors import TopicMissing
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import DeadLetter, Redriven
from tradewind.topics import Topic

OnUndecodable = Callable[[Undecodable], None]
"""Receives each record of a topic of dead letters that is not a dead letter. Another program wrote it."""


def those_there(settings: Settings, owners: Sequence[Owner], *, named: bool) -> list[Owner]:
    """Return the owners whose topics the cluster has; raises `TopicMissing` where one of them lacks some.

    A sink of a package makes its topic with its first letter: unless it was `named`, it is left out without one.
    """
    present, found = partition_counts(settings), []
    for owner in owners:
        missing = [name for name in map(settings.physical, _topics(owner)) if name not in present]
        if not missing:
            found.append(owner)
        elif owner.returns is not None or named:
            raise TopicMissing(
                f"Kafka has no topic {missing[0]}: the cluster was prepared by an older version, or not at all. Run "
                "`tradewind prepare`, which creates what is missing and changes nothing else"
            )
    return found


def _topics(owner: Owner) -> tuple[Topic, ...]:
    return (
        (owner.letters,)
        if owner.returns is None
        else (
            owner.letters,
            owner.returns.redrive,
            owner.returns.redriven,
            owner.returns.skips,
        )
    )


def letters(
    settings: Settings, owner: Owner, codec: Codec, on_undecodable: OnUndecodable
) -> Iterator[tuple[Record, DeadLetter]]:
    """Yield an owner's letters up to the present end, each with where it lies; those of one origin in order."""
    for record in consume(owner.letters, settings=settings, codec=codec, on_undecodable=on_undecodable):
        if record.event is not None:
            yield record, cast("DeadLetter", record.event)


def marks(settings: Settings, owner: Owner, codec: Codec) -> dict[str, Redriven]:
    """Return the marks of an owner's letters that were redriven, by the letter's id; a sink has none."""
    found: dict[str, Redriven] = {}
    if owner.returns is None:
        return found
    for record in consume(owner.returns.redriven, settings=settings, codec=codec):
        if record.event is None:
            found.pop(record.key.decode("utf-8", "replace"), None)
        else:
            mark = cast("Redriven", record.event)
            found[mark.event_id] = mark
    return found
