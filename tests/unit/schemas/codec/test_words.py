"""Integers many at a time are what they are one at a time, near every power of two."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import LONGS, examples
from tradewind.schemas.codec.wire import read_long, write_long
from tradewind.schemas.codec.words import (
    read_varints,
    unzigzag,
    varint_lengths,
    words_of,
    write_varints,
    zigzag,
)

SLACK = 16
EDGES = [sign * (2**bits + near) for bits in range(63) for near in (-1, 0, 1) for sign in (-1, 1)] + [
    2**63 - 1,
    -(2**63),
]


def check(numbers: list[int]) -> None:
    """Compare every function with its counterpart for one number."""
    values = np.array(numbers, np.int64)
    encoded = [write_long(number) for number in numbers]
    assert unzigzag(zigzag(values)).tolist() == numbers
    assert varint_lengths(zigzag(values)).tolist() == list(map(len, encoded))
    data = b"".join(encoded) + bytes(SLACK)
    positions = np.cumsum([0, *map(len, encoded[:-1])])
    read, lengths, too_long = read_varints(np.frombuffer(data, np.uint8), words_of(data), positions)
    assert unzigzag(read).tolist() == numbers
    assert lengths.tolist() == list(map(len, encoded))
    assert too_long is None or not too_long.any()
    out = np.zeros((len(numbers), 2 * SLACK), np.uint8)
    places = np.arange(len(numbers)) * 2 * SLACK
    flat = out.reshape(-1)
    write_varints(words_of(flat), flat, places, zigzag(values), varint_lengths(zigzag(values)))
    assert [bytes(row[: len(one)]) for row, one in zip(out, encoded, strict=True)] == encoded


def test_integers_near_powers_of_two() -> None:
    """No rounding moves a length by one."""
    check(EDGES)
    check(EDGES[::-1])


@given(numbers=st.lists(LONGS, min_size=1, max_size=50))
@examples(150)
def test_integers_of_any_size(numbers: list[int]) -> None:
    """Any integers of 64 bits, side by side."""
    check(numbers)


@given(data=st.binary(min_size=1, max_size=12))
@examples(200)
def test_any_bytes_are_read_alike(data: bytes) -> None:
    """Bytes that are no integer of 64 bits are so for both; others are the same integer of the same length."""
    padded = data + bytes(SLACK)
    read, lengths, too_long = read_varints(np.frombuffer(padded, np.uint8), words_of(padded), np.array([0]))
    try:
        number, position = read_long(padded, 0)
    except ValueError:
        assert too_long is not None
        assert too_long[0]
        return
    assert too_long is None or not too_long[0]
    assert (unzigzag(read)[0], lengths[0]) == (number, position)
