"""A member of a group that claims when it is asked: lines of JSON come in by a named pipe, and answers are printed.

python claimer.py TOPIC SESSION_MS PIPE
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from tradewind.connectors.calls.claims import Claims, Mark
from tradewind.connectors.calls.lease import Lease, LeaseInvalid, lease_of
from tradewind.connectors.settings import Settings

GROUP = "claimer"
TRANSACTION_S = 2.0
POLL_S = 0.02


def say(**what: Any) -> None:
    """Tell the test."""
    print(json.dumps(what), flush=True)


class Member:
    """Keeps every lease that it was given, so that it can claim by an old one."""

    def __init__(self, settings: Settings, topic: str, session_ms: int) -> None:
        self.topic = topic
        self.leases: list[Lease] = []
        self.consumer = Consumer(
            {
                **settings.librdkafka(),
                "group.id": settings.physical(GROUP),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "range",
                "session.timeout.ms": session_ms,
                "heartbeat.interval.ms": session_ms // 4,
            }
        )
        self.consumer.subscribe([topic], on_assign=self.assigned)

    def assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        try:
            lease = lease_of(consumer)
        except LeaseInvalid as error:
            say(event="invalid", why=str(error))
            return
        self.leases.append(lease)
        say(event="assigned", partitions=sorted(place.partition for place in places), member=lease.member)

    def serve(self, claims: Claims, line: str) -> None:
        asked = json.loads(line)
        mark = Mark(asked["offset"], asked["metadata"])
        lease = self.leases[asked["lease"]]
        written = claims.write(lease, {(self.topic, asked["partition"]): mark}, [])
        say(event="claimed", answer=written.value)


def main() -> None:
    """Serve until the pipe's writer closes it."""
    topic, session_ms, pipe = sys.argv[1:]
    settings = Settings(_env_file=None)
    member = Member(settings, topic, int(session_ms))
    with (
        Claims(settings, settings.physical(f"claimer-{os.getpid()}"), TRANSACTION_S) as claims,
        os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "r") as lines,
    ):
        say(event="ready")
        while True:
            if line := lines.readline():
                member.serve(claims, line)
            member.consumer.poll(POLL_S)


if __name__ == "__main__":
    main()
