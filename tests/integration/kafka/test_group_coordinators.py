"""A broker that was killed serves offsets of groups only when it has read all of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness.distribution import own_brokers

from tradewind.connectors.health.groups import Groups
from tradewind.connectors.settings import KafkaSettings, Settings
from tradewind.infra.services.embedded.kafka import Kafka

GROUP, TRANSACTIONS = "readers", 300
REFUSED = {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS}
PENDING_S = 20
"""More than a transaction's time-out of 2 s, and a broker's start on a busy machine."""
LOADING = re.compile(r"Scheduling loading of metadata from (__consumer_offsets-\d+) ")


def loadings(log: Path, begin: int) -> Counter[str]:
    """Count how often each partition of offsets was read, according to what a log says from some byte on."""
    return Counter(LOADING.findall(log.read_bytes()[begin:].decode(errors="replace")))


def commit(producer: Producer, group: Consumer, offset: int, *, end: bool = True) -> None:
    """Commit an offset of partition 0 in a transaction, or leave it pending."""
    producer.begin_transaction()
    producer.send_offsets_to_transaction([TopicPartition("in", 0, offset)], group.consumer_group_metadata(), 10)
    if end:
        producer.commit_transaction(10)


def stable_offset(client: dict[str, Any]) -> int:
    """Return the group's offset, once no transaction is pending on it; a broker that has just started may refuse."""
    group = Consumer({**client, "group.id": GROUP, "isolation.level": "read_committed"})
    deadline = time.monotonic() + PENDING_S
    try:
        while True:
            try:
                return group.committed([TopicPartition("in", 0)], timeout=PENDING_S)[0].offset
            except KafkaException as error:
                if error.args[0].code() not in REFUSED or time.monotonic() > deadline:
                    raise
    finally:
        group.close()


@own_brokers
def test_a_killed_broker_reads_offsets_once_and_ends_what_is_pending(broker: Kafka) -> None:
    """Its metadata name it as leader: it would read them at once, again as it registers, and serve half of them.

    Who asks it where groups stand gets an error while it is away, and an answer once it is back.
    """
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic("in", 1, 1)])["in"].result(30)
    client = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
    group = Consumer({**client, "group.id": GROUP, "isolation.level": "read_committed"})
    producer = Producer({**client, "transactional.id": "writer", "transaction.timeout.ms": 2000})
    producer.init_transactions(30)
    for offset in range(1, TRANSACTIONS + 1):
        commit(producer, group, offset)
    commit(producer, group, TRANSACTIONS + 1, end=False)
    own = Settings(_env_file=None, kafka=KafkaSettings(bootstrap=broker.bootstrap))
    groups, read = Groups(own, PENDING_S), {(GROUP, ("in", 0)): TRANSACTIONS}
    assert groups.committed([GROUP]) == read
    log = broker.servers[0].command.log
    for orderly in (False, True):
        begin = log.stat().st_size
        fenced = log.with_name("kafka-fencing.log")
        fenced.unlink(missing_ok=True)
        broker.servers[0].stop() if orderly else broker.servers[0].kill()
        with pytest.raises(KafkaException):
            groups.committed([GROUP])
        broker.start()
        assert stable_offset(client) == TRANSACTIONS
        assert set(loadings(log, begin).values()) == {1}
        assert fenced.exists() is not orderly
        assert groups.committed([GROUP, "nobody"]) == read
        assert groups.listed() == {GROUP}
    groups.close()
    group.close()
