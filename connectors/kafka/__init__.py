"""Kafka: topics made and compared, events published, consumed and read into frames."""

from tradewind.connectors.kafka.consumption import Record, Undecodable, consume
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.frames import read
from tradewind.connectors.kafka.publication import publish

__all__ = ["Record", "StreamError", "Undecodable", "consume", "publish", "read"]
