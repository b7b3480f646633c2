"""Writes what commands lead to, each in one transaction of Kafka.

The transactional id is the command's own. So an attempt shuts out every earlier one of the same command, also of a
process that was killed, before it looks whether the topics have the command already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tradewind.connectors.gateway.commands.asked import Answer
from tradewind.connectors.gateway.commands.ledger import Begun
from tradewind.connectors.gateway.commands.made import Decide, InDoubt
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.errors import StreamError, TopicMissing
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.kafka.publication import Encoder
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import Topic

ANSWER_S: Final = 4.0
"""For the first question to Kafka: while it is away, the answer comes within this time."""


class Writer:
    """Writes to Kafka. For any thread."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        kafka = settings.kafka.model_copy(update={"answer_s": min(ANSWER_S, settings.kafka.answer_s)})
        self._settings, self._codec = settings.model_copy(update={"kafka": kafka}), codec

    def carried(self, begun: Begun, decide: Decide) -> Answer:
        """Shut out earlier attempts, decide and write; return once it is durable.

        Raises what `decide` raises, `StreamError` where nothing was written, and `InDoubt`.
        """
        settings = self._settings
        counts = partition_counts(settings)  # a quick answer while Kafka is away
        with Transactions(settings, settings.physical(f"tradewind.command.{begun.asked.id}")) as transactions:
            made = decide(begun)
            runs = list(self._runs(made.records, counts))
            if runs:
                try:
                    transactions.write(runs)
                except StreamError as error:
                    raise InDoubt(str(error)) from error
        if made.after is not None:
            made.after()
        return made.answer

    def _runs(self, records: Sequence[tuple[Topic, Event]], counts: Mapping[str, int]) -> Iterator[Run]:
        for topic, event in records:
            name = self._settings.physical(topic)
            if name not in counts:
                raise TopicMissing(f"there is no topic {name}; `tradewind prepare` creates it")
            for runs in Encoder(topic, name, self._codec, counts[name]).encode(iter([event])):
                yield from runs
