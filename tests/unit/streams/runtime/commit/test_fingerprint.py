"""Fingerprints are of each record alone, and no word of it can change without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import Raw

from tradewind.schemas.codec import Joined
from tradewind.streams.runtime.commit.fingerprint import TEXT_WORDS, fingerprints
from tradewind.streams.runtime.read.records import Records

LONGEST = TEXT_WORDS * 8
texts = st.none() | st.binary(max_size=40) | st.integers(LONGEST - 9, LONGEST + 9).map(bytes)
records = st.lists(
    st.builds(
        Raw,
        offset=st.integers(-(2**63), 2**63 - 1),
        value=texts,
        key=texts,
        timestamp=st.integers(-(2**63), 2**63 - 1),
        headers=st.just(()) | st.just((("trace", b"1"),)),
    ),
    min_size=1,
    max_size=12,
)


def prints(of: list[Raw]) -> list[int]:
    """Return the fingerprints of records, which are the same by columns and one by one."""
    whole = Records.of(of)
    found: list[int] = fingerprints(whole, few_records=0).tolist()
    assert fingerprints(whole, few_records=len(of)).tolist() == found
    return found


@given(records)
def test_a_record_has_the_same_fingerprint_among_any_others(of: list[Raw]) -> None:
    """Whatever lies beside it, and however long the others are."""
    assert prints(of) == [prints([record])[0] for record in of]
    assert fingerprints(Records.of(of), few_records=0, block_records=5).tolist() == prints(of)


@given(records, st.binary(min_size=1, max_size=30))
def test_what_lies_between_the_records_is_no_part(of: list[Raw], between: bytes) -> None:
    """Where they were fetched, other fields stand there."""
    whole = Records.of(of)
    parts = [(record.key, record.value) for record in of]
    data, starts = bytearray(between), []
    for pair in parts:
        for text in pair:
            starts.append(len(data))
            data += (text or b"") + between
    keys, values = (
        Joined(bytes(data) + between * 1024, np.array(starts[column::2]), texts.sizes)
        for column, texts in enumerate((whole.keys, whole.values))
    )
    moved = replace(whole, keys=keys, values=values)
    assert [fingerprints(moved, few_records=few).tolist() for few in (0, len(of))] == [prints(of)] * 2


@given(records, st.data())
def test_every_bit_counts(of: list[Raw], data: st.DataObject) -> None:
    """Of keys and values of any length."""
    place = data.draw(st.integers(0, len(of) - 1))
    field = data.draw(st.sampled_from(("key", "value")))
    text = getattr(of[place], field)
    if not text:
        return
    bit = data.draw(st.integers(0, 8 * len(text) - 1))
    changed = (int.from_bytes(text, "little") ^ 1 << bit).to_bytes(len(text), "little")
    after = [*of[:place], replace(of[place], **{field: changed}), *of[place + 1 :]]
    differs = [now != then for now, then in zip(prints(after), prints(of), strict=True)]
    assert differs == [at == place for at in range(len(of))]


def test_two_bits_do_not_make_up_for_each_other() -> None:
    """A flipped sign of two prices is the case that a plain sum of products would not see."""
    value = bytes(24)
    known = set()
    for first in range(8 * len(value)):
        for second in range(first):
            number = 1 << first | 1 << second
            known.add(number.to_bytes(len(value), "little"))
    found = prints([Raw(0, value), *(Raw(0, each) for each in known)])
    assert len(set(found)) == len(known) + 1


def test_nothing_and_no_bytes_are_two_things() -> None:
    """A tombstone is no empty value, and a key no value."""
    variants = [
        Raw(0, None, None),
        Raw(0, b"", None),
        Raw(0, None, b""),
        Raw(0, b"", b""),
        Raw(0, b"a", b""),
        Raw(0, b"", b"a"),
    ]
    variants += [
        Raw(0, b"\0", b""),
        Raw(0, b"\0" * 8, b""),
        Raw(0, b"\0" * LONGEST, b""),
        Raw(0, b"\0" * (LONGEST + 1), b""),
    ]
    variants += [
        Raw(1, b"", b""),
        Raw(0, b"", b"", 1),
        Raw(0, b"", b"", headers=(("", None),)),
        Raw(0, b"", b"", headers=(("", b""),)),
    ]
    assert len(set(prints(variants))) == len(variants)
