"""The topic of the records that an agent or a sink could not take."""

from __future__ import annotations

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter
from tradewind.topics import Topic


def letter_topic(owner: str, partitions: int = 1) -> Topic:
    """Return the topic of the dead letters of an agent or a sink, keyed by where the records came from."""
    return Topic(
        name=f"{owner}.dlq",
        model=DeadLetter,
        key=_origin,
        owner=owner,
        producers=(owner,),
        consumers=(),
        partitions=partitions,
    )


def _origin(event: Event) -> str:
    letter = cast("DeadLetter", event)
    return f"{letter.topic}/{letter.partition}/{letter.offset}"
