"""Fingerprints of records: 64 bits for each of n, made of columns of words at once.

A record is taken as words of eight bytes, each at a place of its own: its offset, its timestamp, the digest of its
headers, the sizes of its key and value, then what is in them. A word is mixed with two constants of its place, by
steps that can all be undone, so that no two words mix to the same, and no word but 0 to 0; the sum of all is the
record's fingerprint. Records that differ in one word thus always differ in it, others but for a chance of 2^-64.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from struct import Struct
from typing import Final

import numpy as np

from tradewind.schemas.codec import Joined
from tradewind.schemas.codec.batch import ABSENT
from tradewind.schemas.codec.words import WORD_BYTES, Longs, Words, words_of
from tradewind.streams.runtime.read.records import Headers, Records

FEW_RECORDS: Final = 16  # up to here one by one takes no longer
BLOCK_RECORDS: Final = 5_000  # some 400 KB at a time, while they are in the processor's cache
TEXT_WORDS: Final = 64  # of a key or value: half of a batch's slack; a longer one is digested first
HEAD_WORDS: Final = 5  # offset, timestamp, headers, and two sizes
HALF: Final = np.uint64(32)
BITS_64: Final = (1 << 64) - 1
NO_HEADERS: Final = 0
LENGTH: Final = Struct("<i")
WORDS_OF: Final = [Struct(f"<{count}Q") for count in range(TEXT_WORDS + 1)]
MASKS: Final = np.array([(1 << (8 * count)) - 1 for count in range(WORD_BYTES + 1)], np.uint64)
"""What keeps the first bytes of a word: 0, 1, ... 8 of them."""


def _splitmix(count: int) -> Words:
    """Return the first numbers of SplitMix64, seed 0 (Steele, Lea and Flood, 2014)."""
    numbers = []
    for at in range(1, count + 1):
        number = at * 0x9E3779B97F4A7C15 & BITS_64
        number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & BITS_64
        number = (number ^ number >> 27) * 0x94D049BB133111EB & BITS_64
        numbers.append(number ^ number >> 31)
    return np.array(numbers, np.uint64)


PLACES: Final = HEAD_WORDS + 2 * TEXT_WORDS
FIRST, SECOND = (_splitmix(2 * PLACES) | np.uint64(1)).reshape(2, PLACES)
"""Odd, since what is multiplied by an odd number can be undone."""
FIRST_NUMBERS: Final[list[int]] = FIRST.tolist()
SECOND_NUMBERS: Final[list[int]] = SECOND.tolist()


def fingerprints(records: Records, few_records: int = FEW_RECORDS, block_records: int = BLOCK_RECORDS) -> Words:
    """Return (n,) fingerprints of offset, timestamp (ms), key, value and headers.

    Up to `few_records` are made one by one, more in blocks of `block_records`; both ways give the same.
    """
    if len(records) <= few_records:
        return _of_few(records)
    found = np.empty(len(records), np.uint64)
    for at in range(0, len(records), block_records):
        found[at : at + block_records] = _of_block(records[at : at + block_records])
    return found


def _of_block(block: Records) -> Words:
    found = _mix(np.stack(_heads(block)).view(np.uint64), 0)
    for texts, place in ((block.keys, HEAD_WORDS), (block.values, HEAD_WORDS + TEXT_WORDS)):
        found += _mix(_words(texts), place)
    return found


def _heads(records: Records) -> tuple[Longs, ...]:
    """Return the first words of records, `HEAD_WORDS` columns of (n,)."""
    count, headers = len(records), records.headers
    digests = np.zeros(count, np.int64) if headers is None else _digests(map(_bytes_of, headers))
    return records.offsets, records.timestamps, digests, records.keys.sizes, records.values.sizes


def _of_few(records: Records) -> Words:
    """Return the same of few records, one by one: an array's pass takes a microsecond, however little is in it."""
    found = []
    for at, head in enumerate(zip(*(column.tolist() for column in _heads(records)), strict=True)):
        total = _sum(head, 0)
        for text, place in ((records.keys[at], HEAD_WORDS), (records.values[at], HEAD_WORDS + TEXT_WORDS)):
            if text:
                total += _sum(_words_of(text), place)
        found.append(total & BITS_64)
    return np.array(found, np.uint64)


def _sum(words: Iterable[int], place: int) -> int:
    """Return the sum of words mixed as at the places from this one on; only its lowest 64 bits are of use."""
    total = 0
    for at, word in enumerate(words, place):
        mixed = word * FIRST_NUMBERS[at] & BITS_64
        total += (mixed ^ mixed >> 32) * SECOND_NUMBERS[at]
    return total


def _words_of(text: bytes) -> tuple[int, ...]:
    """Return the words of a text, the last one filled up with 0; of a long one its digest."""
    if len(text) > TEXT_WORDS * WORD_BYTES:
        return (int(_digests((text,))[0]),)
    count = -(-len(text) // WORD_BYTES)
    return WORDS_OF[count].unpack(text.ljust(count * WORD_BYTES, b"\0"))


def _mix(words: Words, place: int) -> Words:
    """Return the sum of each record's words, (words, n), mixed as at the places from this one on.

    The words are used up.
    """
    places = slice(place, place + len(words))
    words *= FIRST[places, None]
    words ^= words >> HALF
    words *= SECOND[places, None]
    sums: Words = words.sum(axis=0)
    return sums


def _words(texts: Joined) -> Words:
    """Return (as many as the longest has, n) the words of texts, 0 behind their ends.

    A text of more than `TEXT_WORDS` has its digest for its first word.
    """
    sizes = np.maximum(texts.sizes, 0)
    long = np.flatnonzero(sizes > TEXT_WORDS * WORD_BYTES)
    sizes[long] = 0
    passed = np.arange(0, max(int(sizes.max()), min(len(long), 1)), WORD_BYTES)[:, None]
    whole = int(sizes.min()) // WORD_BYTES
    found: Words = words_of(texts.data)[texts.starts + passed]
    found[whole:] &= MASKS[np.clip(sizes - passed[whole:], 0, WORD_BYTES)]
    if len(long):
        found[0, long] = _digests(texts[at] or b"" for at in long.tolist()).view(np.uint64)
    return found


def _digests(of: Iterable[bytes]) -> Longs:
    """Return 64 bits of BLAKE2b of each; `NO_HEADERS` of nothing."""
    return np.array(
        [
            int.from_bytes(blake2b(each, digest_size=WORD_BYTES).digest(), "little", signed=True)
            if each
            else NO_HEADERS
            for each in of
        ],
        np.int64,
    )


def _bytes_of(headers: Headers) -> bytes:
    """Return headers as bytes that no others have."""
    parts: list[bytes] = []
    for name, value in headers:
        encoded = name.encode()
        parts += (
            LENGTH.pack(len(encoded)),
            encoded,
            LENGTH.pack(ABSENT if value is None else len(value)),
            value or b"",
        )
    return b"".join(parts)
