"""Settings of AI on their way into force: written, and followed until the agent has read them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Final, Literal, TypeAlias

from tradewind.connectors.ai.in_force import InForce
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.health.groups import Groups
from tradewind.connectors.kafka.client import ANSWER_S
from tradewind.connectors.kafka.consumption import Record, consume
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.settings import Settings
from tradewind.processors.ai.seed import revised
from tradewind.processors.ai.settings import Setting, revision_of, take
from tradewind.schemas.ai import AiPrice, AiProvider, AiRoute
from tradewind.schemas.codec import Codec
from tradewind.topics import AI_SETTINGS

READ_S: Final = 15.0
"""How long to wait for the agent: it reads within a second, and within ten after a rebalance."""
LOOK_S: Final = 0.2
Standing: TypeAlias = Literal["IN_FORCE", "REFUSED", "UNREAD"]
"""What has become of a revision; UNREAD takes effect, or is refused, when the agent reads it."""


def apply_and_follow(
    changes: Sequence[Setting], revision: int, settings: Settings, codec: Codec, timeout_s: float = READ_S
) -> tuple[int, Standing]:
    """Write changes as the revision that follows `revision`; return the new one, and what has become of it.

    Raises `StreamError` and `KafkaException`.
    """
    made = revised(changes, revision + 1, clock_us())
    publish(AI_SETTINGS, made, settings)
    records = consume(AI_SETTINGS, settings=settings, codec=codec, on_undecodable=lambda _: None)
    behind, taken = place_of(made[0].correlation_id, records)
    group, topic = settings.physical(f"tradewind.{AI_SETTINGS.owner}"), settings.physical(AI_SETTINGS)
    deadline = time.monotonic() + timeout_s
    with closing(Groups(settings, ANSWER_S)) as groups:
        while groups.committed([group]).get((group, (topic, 0)), 0) < behind:
            if time.monotonic() > deadline:
                return revision + 1, "UNREAD"
            time.sleep(LOOK_S)
    return revision + 1, "IN_FORCE" if taken else "REFUSED"


def place_of(whole: str, records: Iterable[Record]) -> tuple[int, bool]:
    """Return the offset behind the records of a revision, and whether the agent takes it: as the agent itself does."""
    known, behind, taken = InForce(), 0, False
    for record in records:
        if not isinstance(record.event, AiProvider | AiRoute | AiPrice):
            continue
        before = revision_of(known)
        take(known, record.event)
        if record.event.correlation_id == whole:
            behind, taken = record.offset + 1, revision_of(known) > before
    return behind, taken
