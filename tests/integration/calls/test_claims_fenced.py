"""A claim by an old lease is refused by a real broker: callers that are frozen, thawed, joined again, or alone.

What `connectors/calls` rests on: ADR 29 says what was seen.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from processes import claimer
from processes.forking import Forked, forked
from processes.pipeline import environment

from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.settings import Settings
from tradewind.topics import ORDER_REQUESTS, PARTITIONS

SESSION_MS = 1500
EXPELLED_S = 2 * SESSION_MS / 1000
PATIENCE_S = 60.0
METADATA = base64.b64encode(bytes(range(256)) * 6).decode()
"""2,048 characters: more than a claim has."""
NEWEST = -1
"""The lease that it was given last."""
Member = Callable[[], "Asked"]


class Asked:
    """A member's process."""

    def __init__(self, settings: Settings, folder: Path, number: int) -> None:
        pipe, self._out = folder / f"claimer-{number}.pipe", folder / f"claimer-{number}.out"
        os.mkfifo(pipe)
        with self._out.open("wb") as out, (folder / f"claimer-{number}.err").open("wb") as err:
            self.process: Forked = forked(
                claimer.__file__,
                settings.physical(ORDER_REQUESTS),
                str(SESSION_MS),
                str(pipe),
                environment=environment(settings),
                out=out,
                err=err,
            )
        self._taken: set[int] = set()
        self.said("ready")
        self._ask = pipe.open("w", buffering=1)

    def said(self, event: str) -> dict[str, Any]:
        """Return the next message of a kind; kinds have no order, as an assignment may come before an answer."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            lines = self._out.read_text().split("\n")[:-1]
            for number, line in enumerate(lines):
                found: dict[str, Any] = json.loads(line)
                if number not in self._taken and found["event"] == event:
                    self._taken.add(number)
                    return found
            time.sleep(0.02)
        raise AssertionError(f"no {event!r} within {PATIENCE_S} s; it said: {lines}")

    def asked(self, lease: int, partition: int, offset: int, metadata: str = "") -> None:
        self._ask.write(
            json.dumps({"lease": lease, "partition": partition, "offset": offset, "metadata": metadata}) + "\n"
        )

    def claims(self, lease: int, partition: int, offset: int, metadata: str = "") -> str:
        """Have it claim, and return the answer."""
        self.asked(lease, partition, offset, metadata)
        return str(self.said("claimed")["answer"])

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        with suppress(BrokenPipeError):
            self._ask.close()
        self.process.kill()
        self.process.wait(PATIENCE_S)


@pytest.fixture
def member(settings: Settings, tmp_path: Path) -> Iterator[Member]:
    """Give a function that starts one more member of the group."""
    create_missing(settings, [ORDER_REQUESTS])
    started: list[Asked] = []

    def start() -> Asked:
        started.append(Asked(settings, tmp_path, len(started)))
        return started[-1]

    yield start
    for one in started:
        one.end()


def standing(settings: Settings, partition: int) -> tuple[int, str]:
    """Return what is committed for a partition, once no transaction is pending."""
    options = {"group.id": settings.physical(claimer.GROUP), "isolation.level": "read_committed"}
    consumer = Consumer({**settings.librdkafka(), **options})
    try:
        (found,) = consumer.committed([TopicPartition(settings.physical(ORDER_REQUESTS), partition)], 20)
        return found.offset, found.metadata
    finally:
        consumer.close()


def test_the_metadata_of_a_claim_is_what_the_next_owner_reads(settings: Settings, member: Member) -> None:
    """The string passes through the transaction whole."""
    one = member()
    one.said("assigned")
    assert one.claims(NEWEST, 0, 5, METADATA) == "committed"
    assert standing(settings, 0) == (5, METADATA)


def test_a_caller_alone_in_its_group_is_refused_once_its_session_is_over(settings: Settings, member: Member) -> None:
    """Nobody took its partitions: the group is empty, and still its old generation is not taken for none."""
    alone = member()
    alone.said("assigned")
    assert alone.claims(NEWEST, 0, 5, "before") == "committed"
    alone.freeze()
    time.sleep(EXPELLED_S)
    alone.asked(0, 0, 6, "frozen")
    alone.thaw()
    assert alone.said("claimed")["answer"] == "refused"
    alone.said("assigned")
    assert alone.claims(0, 0, 6, "old lease") == "refused"
    assert standing(settings, 0) == (5, "before")
    assert alone.claims(NEWEST, 0, 6, "new lease") == "committed"


def test_a_caller_that_was_frozen_is_refused_before_and_after_it_joins_again(
    settings: Settings, member: Member
) -> None:
    """It claims as soon as it thaws, and once more as a member of the new generation that lacks the partition."""
    frozen = member()
    frozen.said("assigned")
    assert frozen.claims(NEWEST, 0, 5, "before") == "committed"
    frozen.freeze()
    other = member()
    assert other.said("assigned")["partitions"] == list(range(PARTITIONS))
    frozen.asked(0, 0, 7, "frozen")
    frozen.thaw()
    assert frozen.said("claimed")["answer"] == "refused"
    rejoined = frozen.said("assigned")["partitions"]
    theirs = other.said("assigned")["partitions"]
    assert rejoined
    assert theirs
    assert frozen.claims(0, theirs[0], 8, "old lease, of a partition that is another's") == "refused"
    assert frozen.claims(0, rejoined[0], 8, "old lease, of a partition that is its own again") == "refused"
    assert other.claims(0, rejoined[0], 9, "same member, older generation") == "refused"
    assert standing(settings, 0) == (5, "before")
    assert frozen.claims(NEWEST, rejoined[0], 10, "new lease") == "committed"
    assert other.claims(NEWEST, theirs[0], 10, "new lease") == "committed"
