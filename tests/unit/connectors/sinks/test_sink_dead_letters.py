"""A sink's dead letter holds the record whole, or as much as a broker takes."""

from confluent_kafka import Message
from runtime_records import CODEC

from tradewind.connectors.dead_letters.fit import LETTER_BYTES, REASON_CHARS, is_cut
from tradewind.connectors.sinks.dead_letters import Rejected, dead_letter
from tradewind.topics import TICKS


def test_a_huge_record_is_cut_in_its_letter() -> None:
    """The client would refuse the letter otherwise, and the sink try again for ever."""
    message = Message(topic="market.ticks", partition=0, offset=7, key=b"k", value=b"x" * 1_000_000, timestamp=(1, 5))
    letter = dead_letter("questdb", TICKS, Rejected(message, "POISON", "y" * 5_000))
    assert is_cut(letter.reason)
    assert (len(letter.value or b""), len(letter.reason)) == (LETTER_BYTES, REASON_CHARS)
    assert len(CODEC.encode(letter)) < LETTER_BYTES + 10_000
    small = Message(topic="market.ticks", partition=0, offset=7, key=b"k", value=b"x", timestamp=(1, 5))
    whole = dead_letter("questdb", TICKS, Rejected(small, "POISON", "why"))
    assert (whole.value, whole.reason, whole.attempt) == (b"x", "why", 1)
    assert whole.event_id == letter.event_id, "the id is of the origin alone"
