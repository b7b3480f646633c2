"""A sink's dead letter holds the record whole, or as much as a broker takes."""

from confluent_kafka import Message
from runtime.records import CODEC

from tradewind.connectors.dead_letters.fit import HEADERS_BYTES, KEY_BYTES, LETTER_BYTES, REASON_CHARS, fitted, is_cut
from tradewind.connectors.sinks.loop.dead_letters import Rejected, dead_letter
from tradewind.streams.runtime.commit.outbox import LARGEST_BYTES
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


def test_whatever_of_a_record_is_huge_its_letter_is_taken() -> None:
    """Key and headers may be a megabyte as well; each is cut by itself, and the reason says which."""
    huge = b"x" * 1_040_000
    for key, value, headers in (
        (huge, b"v", ()),
        (b"k", b"v", [("name", huge)]),
        (b"k", b"v", [("n" * 1_040_000, None)]),
        (b"k", None, [("", b"")] * 200_000),
        (huge, huge, [("a", b"b"), ("name", huge), ("c", b"d")]),
    ):
        message = Message(
            topic="t", partition=0, offset=7, key=key, value=value, headers=list(headers), timestamp=(1, 5)
        )
        letter = dead_letter("questdb", TICKS, Rejected(message, "POISON", "why"))
        assert len(CODEC.encode(letter)) < LARGEST_BYTES
        assert is_cut(letter.reason)
        assert letter.reason.endswith(" why")
    last = fitted(huge, huge, [("a", b"b"), ("name", huge), ("c", b"d")], "why")
    assert (len(last.key or b""), len(last.value or b""), list(last.headers)) == (
        KEY_BYTES,
        LETTER_BYTES,
        [("a", b"b")],
    )
    assert last.reason == ("(value cut from 1040000 bytes) (key cut from 1040000 bytes) (headers cut from 3 to 1) why")
    whole = fitted(b"k" * KEY_BYTES, b"v" * LETTER_BYTES, [("h", b"x" * (HEADERS_BYTES - 17))], "half: \ud800")
    assert (is_cut(whole.reason), whole.reason) == (False, "half: \\ud800")
