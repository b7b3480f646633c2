"""A topic's id is the same text whoever tells it."""

from __future__ import annotations

from base64 import b64encode

from tradewind.connectors.cluster.look import NO_ID, text_of
from tradewind.connectors.kafka.topic_ids import as_printed


def test_an_id_of_librdkafka_reads_as_kafka_s_tools_print_it() -> None:
    """Kill switches that the sink kept and those that `prepare` kept compare by it."""
    for some in (bytes(range(16)), bytes([0xFB, 0xEF, 0xBE, 0xFF] * 4)):
        assert as_printed(b64encode(some).decode()) == text_of(some)
        assert as_printed(b64encode(some).decode().rstrip("=")) == text_of(some)


def test_an_id_that_a_broker_does_not_tell_is_none() -> None:
    """Offsets do not compare by it."""
    assert as_printed(b64encode(NO_ID).decode()) is None
    assert as_printed(None) is None
