"""Skips: records that a person made an agent pass over. Each stays on `<agent>.skips` until the agent reaches it."""

from __future__ import annotations

from hashlib import blake2b

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tradewind.connectors.clock.wall import clock_ms
from tradewind.connectors.kafka.client import ANSWER_S, stream_error
from tradewind.connectors.kafka.consumption import consume
from tradewind.connectors.kafka.errors import NotDelivered
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.kafka.transaction import producer_options
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.runtime import Skip
from tradewind.topics import Topic

DIGEST_BYTES = 16
REASON_CHARS = 500  # with who and when it fits the reason of a dead letter
ABSENT = b"-"


def key_of_skip(topic: str, partition: int, offset: int) -> str:
    """Return the key of a skip."""
    return f"{topic}/{partition}/{offset}"


def digest_of_record(timestamp_ms: int, key: bytes | None, value: bytes | None) -> bytes:
    """Return what tells a record from another one that may lie at its place later."""
    parts = (str(timestamp_ms).encode(), *(ABSENT if each is None else b"+" + each for each in (key, value)))
    hashed = blake2b(digest_size=DIGEST_BYTES)
    for each in parts:
        hashed.update(len(each).to_bytes(8, "big"))
        hashed.update(each)
    return hashed.digest()


def reason_of_letter(skip: Skip) -> str:
    """Return what the dead letter of a record that was passed over says."""
    said = f": {skip.reason}" if skip.reason else ""
    return f"skipped by hand, by {skip.said_by} at {time_to_json(skip.ts_skip)}{said}"


def open_skips(settings: Settings, topic: Topic, codec: Codec) -> dict[str, Skip]:
    """Return the skips of an agent that it has not passed yet, by key; `topic` is its `<agent>.skips`."""
    found: dict[str, Skip] = {}
    for record in consume(topic, settings=settings, codec=codec, on_undecodable=lambda _: None):
        key = record.key.decode("utf-8", "replace")
        if isinstance(record.event, Skip):
            found[key] = record.event
        else:
            found.pop(key, None)
    return found


def write_skip(settings: Settings, topic: Topic, key: str, value: bytes | None) -> None:
    """Write a skip, or delete one, and return when the broker has it; raises `StreamError`."""
    failed: list[KafkaError] = []

    def delivered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failed.append(error)

    name = settings.physical(topic)
    producer = Producer({**producer_options(settings), "linger.ms": 0, "acks": "all"})
    try:
        stamp_ms = clock_ms()
        producer.produce(name, value, key, 0, timestamp=stamp_ms, on_delivery=delivered)
        unsent = producer.flush(ANSWER_S)
    except KafkaException as error:
        raise stream_error(error, f"writing to {name}", settings) from error
    if unsent or failed:
        producer.purge()
        why = failed[0].str() if failed else f"no answer within {ANSWER_S:.0f} s"
        raise NotDelivered(f"{name}: {key} was not written ({why}); look at `tradewind status`, and do it again")
