"""The counter counts each record once, whatever its client delivers."""

from __future__ import annotations

from pathlib import Path

from confluent_kafka import KafkaError, Message
from runtime.records import CODEC, NOWHERE

from tradewind.connectors.health.counter import Counter
from tradewind.connectors.health.ledger import Ledger, Pass
from tradewind.infra.status.names import known
from tradewind.topics import TICKS

HERE = (NOWHERE.physical(TICKS), 1)


def record(offset: int) -> Message:
    """Make a record that is no event."""
    return Message(topic=HERE[0], partition=HERE[1], offset=offset, value=b"v")


def test_records_from_before_the_place_are_not_counted_again(tmp_path: Path) -> None:
    """A client that loses its place delivers them, and those after; an end is taken as it is told."""
    counter, done = Counter(NOWHERE, Ledger(tmp_path), CODEC, known(NOWHERE)), Pass({})
    counter._begins = {HERE: 5}
    for offset in (3, 4, 5, 6, 4, 5, 6, 7):
        counter._take(done, record(offset))
    assert (done.records[HERE], done.last[HERE], done.next[HERE]) == (3, 7, 8)
    counter._take(done, Message(topic=HERE[0], partition=1, offset=9, error=KafkaError(KafkaError._PARTITION_EOF)))
    counter._take(done, record(8))
    assert (done.records[HERE], done.next[HERE]) == (3, 9)
    counter.close()
