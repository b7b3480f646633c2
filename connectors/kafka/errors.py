"""What can go wrong between Tradewind and Kafka.

StreamError
├── BrokerUnavailable     no answer in time: try again, or look at the broker
├── TopicMissing          the cluster has no such topic
├── TopicDiffers          the cluster's topic is not as declared, in a way that would misplace records
├── WrongEvent            the event does not belong on the topic
├── UnreadableRecord     a record's bytes are no event of the topic
├── OffsetGone            the record to start at was removed by retention
├── ReadTooLarge          more than a bounded read may hold
├── ProducerLost          the producer can go on no more: another has its transactional id, or its transaction timed out
└── NotDelivered          the broker refused records: nothing of the transaction is visible
"""

from __future__ import annotations


class StreamError(RuntimeError):
    """Something between Tradewind and Kafka; the message says what, where and what to do."""


class BrokerUnavailable(StreamError):
    """No answer in time."""


class TopicMissing(StreamError):
    """The cluster has no such topic."""


class TopicDiffers(StreamError):
    """The cluster's topic is not as declared, in a way that would misplace records."""


class WrongEvent(StreamError):
    """The event does not belong on the topic."""


class UnreadableRecord(StreamError):
    """A record's bytes are no event of the topic; the message has its coordinates."""


class OffsetGone(StreamError):
    """The record to start at was removed by retention."""


class ReadTooLarge(StreamError):
    """More than a bounded read may hold."""


class ProducerLost(StreamError):
    """The producer can go on no more: another has its transactional id, or its transaction timed out."""


class NotDelivered(StreamError):
    """The broker refused records: nothing of the transaction is visible."""
