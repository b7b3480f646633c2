"""Digests tell any difference between records, and where a single one lies."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st
from runtime.records import Raw

from tradewind.streams.runtime.commit import digest
from tradewind.streams.runtime.commit.digest import Digest, digest_of_outputs
from tradewind.streams.runtime.commit.outbox import Outgoing
from tradewind.streams.runtime.read.records import Record, Records

some_bytes = st.none() | st.binary(max_size=6)
headers = st.lists(st.tuples(st.sampled_from(("a", "b", "ab")), some_bytes), max_size=2).map(tuple)
records = st.lists(
    st.builds(
        Raw,
        offset=st.integers(0, 3),
        value=some_bytes,
        key=some_bytes,
        timestamp=st.integers(0, 3),
        headers=headers,
    ),
    max_size=5,
)
outputs = st.lists(
    st.builds(
        Outgoing,
        topic=st.sampled_from(("n.a", "n.b", "n.ab")),
        partition=st.integers(0, 2),
        key=some_bytes,
        value=some_bytes,
        timestamp=st.integers(0, 3),
        traced=st.none(),
        reached=st.none(),
    ),
    max_size=5,
)


KNOWN = ("35fe6df863952e0d808dcd8d67e0b334", -4404846493013459873, -2639346021854753806)
EMPTY = "cae66941d9efbd404e4d88758ea67670"


def digest_of_records(of: Sequence[Record]) -> Digest:
    """Return the digest of records."""
    return digest.digest_of_records(Records.of(of))


@given(records, records)
def test_digests_are_equal_where_records_are_and_only_there(one: list[Raw], other: list[Raw]) -> None:
    """Lengths are part of what is hashed: bytes that move from a key to a value, or to the next record, show."""
    assert (digest_of_records(one) == digest_of_records(other)) == (one == other)


@given(outputs, outputs)
def test_digests_of_outputs_are_equal_where_these_are_and_only_there(
    one: list[Outgoing], other: list[Outgoing]
) -> None:
    """Topic, partition, key, value, timestamp and order count; the namespace does not."""
    same = digest_of_outputs(one, "n.") == digest_of_outputs(other, "n.")
    assert same == (one == other)
    moved = [out._replace(topic=out.topic.replace("n.", "m.")) for out in one]
    assert digest_of_outputs(moved, "m.") == digest_of_outputs(one, "n.")


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=50), st.data())
def test_a_single_record_that_changed_is_found(values: list[bytes], data: st.DataObject) -> None:
    """Whatever of it changed: the sums of fingerprints differ by it alone."""
    place = data.draw(st.integers(0, len(values) - 1))
    changed = data.draw(
        st.builds(
            lambda value: {"value": value}, st.none() | st.binary(max_size=40).filter(lambda new: new != values[place])
        )
        | st.sampled_from(({"key": b"kez"}, {"key": None}, {"timestamp": 1}, {"headers": (("a", b""),)}))
    )
    before = [Raw(at, value) for at, value in enumerate(values)]
    after = [replace(record, **changed) if record.offset == place else record for record in before]
    assert digest_of_records(before).place_of_change(digest_of_records(after), len(values)) == place


@pytest.mark.parametrize("count", [2, 3])
def test_no_place_is_told_where_several_values_changed(count: int) -> None:
    """It would be a guess: the range is told instead."""
    before = [Raw(at, bytes([at])) for at in range(3)]
    after = [replace(record, value=b"other") if record.offset < count else record for record in before]
    assert digest_of_records(before).place_of_change(digest_of_records(after), 3) is None


def test_no_place_is_told_where_several_values_changed_in_both_directions() -> None:
    """As where two changed places."""
    before = [Raw(at, bytes([at])) for at in range(3)]
    after = [replace(before[1], offset=0), replace(before[0], offset=1), before[2]]
    assert digest_of_records(before).place_of_change(digest_of_records(after), 3) is None


def test_no_place_is_told_where_nothing_changed() -> None:
    """No change is at every place."""
    for count in (1, 3):
        found = digest_of_records([Raw(at, bytes([at])) for at in range(count)])
        assert found.place_of_change(found, count) is None


@pytest.mark.parametrize("with_headers", [(), (("trace", b"1"),)])
def test_records_as_the_fetcher_parses_them_have_the_digest_of_those_that_are_read_again(
    with_headers: tuple[tuple[str, bytes], ...],
) -> None:
    """The worker reads by aiokafka, and the verification by librdkafka."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 20)
    for at in range(3):
        builder.append(at, 1000 + at, b"key", b"value", list(with_headers))
    parsed = list(DefaultRecordBatch(bytes(builder.build())))
    again = [Raw(at, b"value", b"key", 1000 + at, with_headers) for at in range(3)]
    assert digest_of_records(parsed) == digest_of_records(again)


def test_the_digest_of_known_records_is_the_one_that_journals_hold() -> None:
    """Another one would blame every input that was recorded before."""
    known = [Raw(7, b"value", b"key", 1_000), Raw(8, None, None, 1_001, (("trace", b"1"), ("none", None)))]
    known += [Raw(9, bytes(513), b"", 1_002), Raw(10, b"", bytes(600), -1)]
    found = digest_of_records(known)
    assert (found.digest.hex(), found.sum, found.moment) == KNOWN
    assert digest_of_records([]) == Digest(bytes.fromhex(EMPTY), 0, 0)
